namespace RealNvp.Samples.Common;

/// <summary>A data set in two parts: one to fit on and one to test on. It owns both: dispose it once.</summary>
/// <param name="Train">The part to fit on.</param>
/// <param name="Test">The part to test on.</param>
public sealed record ImageSplit(ImageDataset Train, ImageDataset Test) : IDisposable
{
    /// <summary>Disposes both parts.</summary>
    public void Dispose()
    {
        Train.Dispose();
        Test.Dispose();
    }
}
