namespace RealNvp.Internal;

/// <summary>Names of columns, parameters and quantities, by which results, explanations and files tell things apart.</summary>
internal static class NameCheck
{
    /// <summary>The first name that came before; null if each is another one.</summary>
    public static string? Twice(IEnumerable<string> names)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        return names.FirstOrDefault(n => !seen.Add(n));
    }

    /// <summary>Throws if a name is empty, is none that a file gives back, or comes twice.</summary>
    /// <param name="names">The names.</param>
    /// <param name="what">What they are names of, such as "column".</param>
    /// <param name="parameter">Where they come from.</param>
    /// <param name="owner">The method that was called, with a colon and a blank behind it; empty for none.</param>
    public static void Require(IReadOnlyList<string> names, string what, string parameter, string owner = "")
    {
        for (var i = 0; i < names.Count; i++)
        {
            if (string.IsNullOrWhiteSpace(names[i]))
                throw new ArgumentException($"{owner}The name of {what} {i} is empty. Name each {what}, or none.", parameter);
            if (!Check.IsText(names[i]))
                throw new ArgumentException(
                    $"{owner}The name of {what} {i} has half of a surrogate pair, which no file can hold. Correct it.", parameter);
        }
        if (Twice(names) is { } twice)
            throw new ArgumentException(
                $"{owner}There is more than one {what} with the name '{twice}', so that results could not tell them apart. Rename " +
                $"one.", parameter);
    }
}
