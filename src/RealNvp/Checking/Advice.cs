namespace RealNvp.Checking;

/// <summary>What to look at first if a law is broken.</summary>
internal static class Advice
{
    public static string For(FlowLaw law) => law switch
    {
        FlowLaw.Shapes =>
            "Sum the log-derivative over all dimensions but the batch (SumExamples), and override OutputShapeOf and InputShapeOf where " +
                "the shape changes.",
        FlowLaw.FiniteValues =>
            "Bound the scale, use log1p, softplus and logsigmoid instead of log of exp, and keep masked branches finite.",
        FlowLaw.InverseUndoesForward or FlowLaw.ForwardUndoesInverse =>
            "Undo the steps of Forward in the opposite order, with the parameters computed from what does not change.",
        FlowLaw.OppositeLogDets => "Inverse returns the log-determinant of its own map: minus that of Forward.",
        FlowLaw.NumericalLogDet or FlowLaw.AutogradLogDet =>
            "Look at the sign, at terms that vanish at the initialization, and at the dimensions of the sum.",
        FlowLaw.ParameterGradients => "Use every parameter, and keep detach(), no_grad(), item() and in-place changes out of its path.",
        FlowLaw.InputGradients => "Keep detach(), no_grad() and item() out of the path of the input and of the context.",
        FlowLaw.BatchIndependence => "Take no mean, maximum or norm over the batch dimension in evaluation; use running statistics.",
        FlowLaw.TrainingBatchDeclared => "Override MixesBatchInTraining.",
        FlowLaw.BatchSizes => "Allow N = 0 and N = 1: no reshape(-1), no squeeze() without a dimension, no variance over one example.",
        FlowLaw.AnyCompany =>
            "Let each example have iterations, steps and limits of its own, as OdeSolver does, and take no maximum over the batch.",
        FlowLaw.StridedInputs => "Use reshape instead of view, and no raw memory of a tensor that is not contiguous.",
        FlowLaw.ContextMatters => "Pass the context on to the network, or let ContextSize be 0.",
        FlowLaw.StateRoundTrip =>
            "Keep what changes in parameters and buffers: fields that RegisterComponents() finds, and not in plain numbers.",
        FlowLaw.EvaluationKeepsState => "Change buffers only in Forward while 'training' is true.",
        FlowLaw.ModeKept => "Do not call train() or eval() inside a call, or put the mode back.",
        FlowLaw.InputUntouched => "Replace in-place operations (add_, mul_, copy_) by those without underscore.",
        FlowLaw.Repeatable => "Draw from pass.Generator, and override IsStochastic where evaluation draws too.",
        FlowLaw.NoTensorLeft =>
            "Do not detach tensors from the dispose scope of the call, and dispose what is cached before it is replaced.",
        FlowLaw.DeviceFollowsInput => "Pass device: x.device to zeros, ones, arange, rand and tensor.",
        FlowLaw.DtypeFollowsInput => "Pass dtype: x.dtype to zeros, ones, arange, rand and tensor.",
        FlowLaw.StepAgrees =>
            "Let the step write all of Value and Tape, add to LogDet and OfContext, and write, not add to, OfInput and OfWeight, whose " +
                "memory holds anything before.",
        FlowLaw.KeepsLength => "Let KeepsLength be false, or restore the length: z·|x|/|z|.",
        FlowLaw.ContinuousOnCircles =>
            "Let networks see cos and sin of a circle (CircularInput), map it by something with equal slopes at both edges, or claim no " +
                "circle.",
        _ => "",
    };
}
