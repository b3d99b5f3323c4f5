using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>The constants of a module, which moves and disposes all of them together: in its <c>_toEpilog</c> and <c>Dispose</c>.</summary>
internal sealed class Constants : IDisposable
{
    private readonly List<Constant> all = [];

    /// <summary>Adds a tensor that follows the module's dtype and device but is no part of its state.</summary>
    public Constant Add(Tensor value) => Add(new Constant(value));

    /// <summary>Adds a constant, such as one that shares its memory with those of other layers.</summary>
    public Constant Add(Constant constant)
    {
        all.Add(constant);
        return constant;
    }

    /// <summary>The floating-point dtype of one of them; null if there is none.</summary>
    public ScalarType? Dtype => all.Find(c => c.Value.is_floating_point())?.Value.dtype;

    /// <summary>Converts those of floating-point numbers, and moves all.</summary>
    public void To(ScalarType? dtype, Device? device)
    {
        foreach (var constant in all) constant.To(dtype, device);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var constant in all) constant.Dispose();
    }
}
