namespace RealNvp.Internal;

/// <summary>An error that names a row, counted from the first of those that a pass was given.</summary>
internal interface IRowFault
{
    /// <summary>The same for somebody who gave some rows before these.</summary>
    Exception Behind(long rows);
}
