namespace RealNvp.Internal;

/// <summary>A module whose own buffers no pass changes, in training either: a step need not keep a copy of them.</summary>
internal interface IConstantBuffers;
