using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace RealNvp.Samples.Common;

/// <summary>Options of a command line that say what is allowed if a value is not.</summary>
public static class SampleOption
{
    /// <summary>A whole number.</summary>
    /// <param name="name">The name, with its dashes.</param>
    /// <param name="description">What it is for, and what happens without it.</param>
    /// <param name="least">The smallest value.</param>
    /// <param name="most">The largest value.</param>
    public static Option<int?> Whole(string name, string description, int least, int most = int.MaxValue) =>
        New(name, description, (string text, out int? value) =>
    {
        value = int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= least
            && number <= most ? number : null;
        return value is not null;
    }, most == int.MaxValue ? $"a whole number, at least {least}" : $"a whole number from {least} to {most}");

    /// <summary>A number with a decimal point.</summary>
    /// <param name="name">The name, with its dashes.</param>
    /// <param name="description">What it is for, and what happens without it.</param>
    /// <param name="above">The value must be larger than this.</param>
    /// <param name="most">The largest value.</param>
    public static Option<double?> Number(string name, string description, double above, double most) =>
        New(name, description, (string text, out double? value) =>
    {
        value = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number > above && number <= most
            ? number : null;
        return value is not null;
    }, string.Create(CultureInfo.InvariantCulture, $"a number above {above} and up to {most}, with a decimal point"));

    /// <summary>One of a few words.</summary>
    /// <typeparam name="T">What the words stand for.</typeparam>
    /// <param name="name">The name, with its dashes.</param>
    /// <param name="description">What it is for, and what happens without it. The words are added.</param>
    /// <param name="choices">The words, with what they stand for.</param>
    public static Option<T?> Choice<T>(string name, string description, IReadOnlyDictionary<string, T> choices)
    {
        ArgumentNullException.ThrowIfNull(choices);
        var words = string.Join(", ", choices.Keys);
        return New(name, $"{description} One of: {words}.", (string text, out T? value) => choices.TryGetValue(text, out value),
            $"one of {words}");
    }

    private delegate bool Parse<T>(string text, out T? value);

    private static Option<T?> New<T>(string name, string description, Parse<T> parse, string allowed) => new(name)
    {
        Description = description,
        CustomParser = result =>
        {
            var text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
            if (parse(text, out var value)) return value;
            result.AddError($"{name} is '{text}'; expected {allowed}.");
            return default;
        },
    };
}
