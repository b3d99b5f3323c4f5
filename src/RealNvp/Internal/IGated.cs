using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>A module with a gate before its calls, such as a flow: see <see cref="EvaluationGate"/>.</summary>
internal interface IGated
{
    EvaluationGate Gate { get; }

    /// <summary>The module and all modules in it, parents first.</summary>
    nn.Module[] Parts { get; }

    /// <summary>Modules may have come or gone.</summary>
    void PartsChanged();

    /// <summary>Sets the mode of the module and its parts now.</summary>
    void SetOwnMode(bool training);

    /// <summary>Throws if the module is disposed.</summary>
    void CheckDisposed();

    /// <summary>Throws if the module or a part of it is disposed, and names that.</summary>
    void CheckAlive();
}
