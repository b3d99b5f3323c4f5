#:package ScottPlot
#:property PublishAot=false
#:property ImportDirectoryBuildTargets=false
// Draws the packages' icon: the grid of the plane after two couplings. `dotnet run eng/icon.cs` writes eng/icon.png.
using SkiaSharp;

const int size = 128, lines = 9;
const float reach = 1.72f, scale = 22.5f;
using var surface = SKSurface.Create(new SKImageInfo(size, size, SKColorType.Rgba8888, SKAlphaType.Premul));
var canvas = surface.Canvas;
canvas.Clear(SKColors.Transparent);
canvas.ClipRoundRect(new SKRoundRect(SKRect.Create(size, size), 26), antialias: true);
canvas.Clear(new SKColor(0x14, 0x40, 0x6b));
for (var i = 0; i < lines; i++)
    foreach (var horizontal in new[] { false, true })
    {
        var at = -reach + (2 * reach * i / (lines - 1));
        using var path = new SKPath();
        for (var k = 0; k <= 60; k++)
        {
            var along = -reach + (2 * reach * k / 60);
            var (x, y) = horizontal ? Warp(along, at) : Warp(at, along);
            var point = new SKPoint((size / 2f) + (scale * x), (size / 2f) - (scale * y));
            if (k == 0) path.MoveTo(point);
            else path.LineTo(point);
        }
        using var paint = new SKPaint { IsAntialias = true, Style = SKPaintStyle.Stroke, StrokeCap = SKStrokeCap.Round,
            StrokeWidth = i == lines / 2 ? 3.2f : 2.1f, Color = horizontal ? SKColors.White : new SKColor(0xff, 0xb0, 0x00) };
        canvas.DrawPath(path, paint);
    }
using var image = surface.Snapshot();
using var png = image.Encode(SKEncodedImageFormat.Png, 100);
using var file = File.Create(Path.Combine(AppContext.GetData("EntryPointFileDirectoryPath") as string ?? ".", "icon.png"));
png.SaveTo(file);

static (float X, float Y) Warp(float x, float y)
{
    var u = (x * MathF.Exp(0.35f * MathF.Sin(1.6f * y))) + (0.55f * MathF.Sin(1.5f * y));
    return (u, (y * MathF.Exp((0.30f * MathF.Cos(1.2f * u)) - 0.15f)) + (0.35f * MathF.Sin((1.3f * u) + 0.4f)));
}
