namespace RealNvp;

/// <summary>How gradients get through a solve. All agree, up to the tolerance of the solve.</summary>
public enum OdeGradient
{
    /// <summary><see cref="Checkpointed"/> if the solver knows what f depends on: a
    /// module, or parameters that are named. Else <see cref="Graph"/>.</summary>
    Automatic,

    /// <summary>
    /// The accepted steps are computed once more with a graph of autograd. Finds all that f
    /// depends on, gives gradients of gradients, and holds the activations of every evaluation.
    /// </summary>
    Graph,

    /// <summary>
    /// The state at the start of each accepted step is kept, and a step is computed again when the gradient
    /// passes through it. The gradient is exactly that of the steps that were taken. Beyond
    /// <see cref="OdeOptions.MemoryBudget"/> fewer states are kept, and those between are computed again.
    /// </summary>
    Checkpointed,

    /// <summary>
    /// The algebraically reversible scheme of McCallum and Foster (arXiv 2410.11648) around the method: twice the evaluations, and states
    /// are rebuilt from the last one, so memory hardly grows with the number of steps. The distance of the rebuilt start from the true one
    /// is measured; beyond a limit the gradient is computed again from stored steps. Exactly the gradient of the steps that were taken.
    /// </summary>
    Reversible,

    /// <summary>
    /// The continuous adjoint (arXiv 1806.07366): state and gradient are solved for backwards in time;
    /// gradients of parameters are integrals that do not count in the error control (the seminorm of
    /// arXiv 2009.09457). Memory does not grow with steps. Right up to the tolerance only.
    /// </summary>
    Adjoint,
}
