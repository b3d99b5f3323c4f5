namespace RealNvp;

public partial class Flow
{
    /// <summary>What should be known of the flow besides its weights: names of columns,
    /// rows of training, held-out score. It is saved and loaded with the weights.</summary>
    /// <remarks>Change it with <c>flow.Info = flow.Info with { Columns = [...] }</c>.</remarks>
    /// <exception cref="ArgumentException">The names are not as many as the columns, or something is out of range.</exception>
    public FlowInfo Info
    {
        get;
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            value.Validate(this);
            field = value;
        }
    } = new();
}
