namespace RealNvp.Checking;

/// <summary>What <see cref="FlowCheck"/> proves about a bijection; each failure names its law.</summary>
public enum FlowLaw
{
    /// <summary>z has the shape (N, ...) that <see cref="Bijection.OutputShapeOf"/> says, x
    /// that of <see cref="Bijection.InputShapeOf"/>, and log-dets are (N).</summary>
    Shapes,

    /// <summary>Values and log-determinants are finite, also at extreme inputs.</summary>
    FiniteValues,

    /// <summary>Inverse(Forward(x)) is x.</summary>
    InverseUndoesForward,

    /// <summary>Forward(Inverse(z)) is z.</summary>
    ForwardUndoesInverse,

    /// <summary>The log-determinants of Forward at x and of Inverse at z sum to 0.</summary>
    OppositeLogDets,

    /// <summary>The log-determinant is that of the Jacobian from central differences.</summary>
    NumericalLogDet,

    /// <summary>The log-determinant is that of the Jacobian from autograd.</summary>
    AutogradLogDet,

    /// <summary>Every parameter gets a finite gradient from value and log-determinant, and finite differences agree with it.</summary>
    ParameterGradients,

    /// <summary>Input and context get the gradient of value and log-determinant that finite differences give.</summary>
    InputGradients,

    /// <summary>In evaluation, the examples of a batch do not influence each other.</summary>
    BatchIndependence,

    /// <summary>Where examples influence each other in training,
    /// <see cref="Bijection.MixesBatchInTraining"/> says so, and only there.</summary>
    TrainingBatchDeclared,

    /// <summary>Batches of 1 and of 0 work, in both modes, and an example alone gets what it gets in a batch.</summary>
    BatchSizes,

    /// <summary>Sliced, transposed and expanded inputs give what contiguous ones give.</summary>
    StridedInputs,

    /// <summary>Another context gives another result.</summary>
    ContextMatters,

    /// <summary>The state dict, saved to a file and loaded into the changed layer or into a new one, gives the same bits.</summary>
    StateRoundTrip,

    /// <summary>In evaluation, a call changes no parameter and no buffer.</summary>
    EvaluationKeepsState,

    /// <summary>A call leaves the training or evaluation mode of the layer and of its parts as it was.</summary>
    ModeKept,

    /// <summary>A call changes neither its input nor its context.</summary>
    InputUntouched,

    /// <summary>Two calls with the same seed give the same bits: randomness comes from the seed alone.</summary>
    Repeatable,

    /// <summary>After a call and the disposal of its two results, no more tensors are alive than before it.</summary>
    NoTensorLeft,

    /// <summary>All tensors are made on the device of the input, whatever torch's default device is.</summary>
    DeviceFollowsInput,

    /// <summary>Results have the dtype of the input, whatever torch's default dtype is.</summary>
    DtypeFollowsInput,

    /// <summary>What <see cref="Bijection.CircularFeatures"/> says is a circle has no cut:
    /// both edges give the same value, up to whole turns, and log-determinant.</summary>
    ContinuousOnCircles,

    /// <summary>In evaluation, each example gets alone what it gets in a batch, and in a batch with one that is far away, as
    /// where one step size would be chosen for all.</summary>
    AnyCompany,

    /// <summary>Where <see cref="Bijection.KeepsLength"/> says that |z| = |x|, it is so.</summary>
    KeepsLength,

    /// <summary>Where the layer is a step of a chain (<see cref="IJoinsChain"/>), the step gives the value, log-determinant and gradients
    /// that the layer gives alone, and adds and writes what it must.</summary>
    StepAgrees,
}
