namespace RealNvp;

/// <summary>A record that describes a flow whole, as files know it.</summary>
internal interface IModelRecord
{
    /// <summary>The shape of one example.</summary>
    EventShape Shape { get; }
}
