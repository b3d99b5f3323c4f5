namespace RealNvp;

/// <summary>A layer whose Inverse moves latents at t = 0 along a velocity to data at t = 1, and
/// whose Forward moves data back. Flow matching trains it: <c>Objective.FlowMatching</c>.</summary>
/// <remarks>A layer of your own that implements it is trained as the library's are.</remarks>
public interface IFollowsVelocity
{
    /// <summary>The velocity that examples follow.</summary>
    Dynamics Dynamics { get; }
}
