using System.Globalization;
using System.Net;

namespace RealNvp.Plotting;

/// <summary>A page with one picture in it, and nothing outside of it.</summary>
internal static class HtmlPage
{
    public static string Of(Picture picture, byte[] png)
    {
        var alt = WebUtility.HtmlEncode(picture.AltText.ReplaceLineEndings(" "));
        return string.Create(CultureInfo.InvariantCulture, $$"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>{{alt}}</title>
            <style>
            body { margin: 1rem; background: #fff; color: #22262e; font-family: "DejaVu Sans", Verdana, sans-serif; }
            figure { margin: 0; }
            img { max-width: 100%; height: auto; }
            figcaption { max-width: 60rem; font-size: 0.85rem; }
            </style>
            </head>
            <body>
            <figure>
            <img width="{{picture.Width}}" height="{{picture.Height}}" alt="{{alt}}" src="data:image/png;base64,{{Convert.ToBase64String(png)}}">
            <figcaption>{{alt}}</figcaption>
            </figure>
            </body>
            </html>

            """).ReplaceLineEndings("\n");
    }
}
