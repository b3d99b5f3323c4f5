using RealNvp.Kernels;

namespace RealNvp.Ode;

/// <summary>
/// The numbers of an explicit Runge–Kutta method: stage i is f(t + cᵢ h, y + h Σ aᵢⱼ kⱼ), and y + h Σ bⱼ kⱼ is the state after the step.
/// </summary>
internal sealed class OdeTableau
{
    /// <summary>cᵢ.</summary>
    public required double[] Nodes { get; init; }

    /// <summary>aᵢⱼ, row i with i numbers.</summary>
    public required double[][] Stages { get; init; }

    /// <summary>bⱼ.</summary>
    public required double[] Weights { get; init; }

    /// <summary>bⱼ − b̂ⱼ, of the method of lower order that is embedded; null if there is none, and steps are of one size.</summary>
    public double[]? Error { get; init; }

    /// <summary>What the dense output has beside the cubic of Hermite: h θ² (1 − θ)² Σ dⱼ kⱼ. Null for the cubic alone.</summary>
    public double[]? Dense { get; init; }

    /// <summary>The order of the method.</summary>
    public required int Order { get; init; }

    public int Count => Nodes.Length;

    /// <summary>Whether the last stage is f at the end of the step, which is the first of the next: first same as last.</summary>
    public bool EndsAtNext => Error is not null;

    /// <summary>The weight of slope j in the state at t + θ h; the slope at the
    /// end of the step is the one behind the last stage, or the last.</summary>
    public double DenseWeight(int j, int last, double theta)
    {
        var rest = 1 - theta;
        var weight = (j < Weights.Length ? Weights[j] : 0) * theta * theta * (3 - (2 * theta));
        if (j == 0) weight += theta * rest * rest;
        if (j == last) weight -= theta * theta * rest;
        return weight + (Dense is { } dense ? dense[j] * theta * theta * rest * rest : 0);
    }

    /// <summary>What a kernel has to know of it.</summary>
    public OdeScheme Scheme => scheme ??= new(Nodes, Stages, Weights, Error);

    private OdeScheme? scheme;

    public static OdeTableau Of(OdeMethod method) => method switch
    {
        OdeMethod.Dopri5 => dopri5,
        OdeMethod.Tsit5 => tsit5,
        OdeMethod.Bosh3 => bosh3,
        OdeMethod.Euler => euler,
        OdeMethod.Midpoint => midpoint,
        OdeMethod.Rk4 => rk4,
        OdeMethod.Rk4ThreeEighths => threeEighths,
        _ => throw new ArgumentOutOfRangeException(nameof(method), method, "Not one of OdeMethod."),
    };

    private static readonly OdeTableau dopri5 = new()
    {
        Order = 5,
        Nodes = [0, 1 / 5.0, 3 / 10.0, 4 / 5.0, 8 / 9.0, 1, 1],
        Stages =
        [
            [],
            [1 / 5.0],
            [3 / 40.0, 9 / 40.0],
            [44 / 45.0, -56 / 15.0, 32 / 9.0],
            [19372 / 6561.0, -25360 / 2187.0, 64448 / 6561.0, -212 / 729.0],
            [9017 / 3168.0, -355 / 33.0, 46732 / 5247.0, 49 / 176.0, -5103 / 18656.0],
            [35 / 384.0, 0, 500 / 1113.0, 125 / 192.0, -2187 / 6784.0, 11 / 84.0],
        ],
        Weights = [35 / 384.0, 0, 500 / 1113.0, 125 / 192.0, -2187 / 6784.0, 11 / 84.0, 0],
        Error = [71 / 57600.0, 0, -71 / 16695.0, 71 / 1920.0, -17253 / 339200.0, 22 / 525.0, -1 / 40.0],
        // Hairer, Nørsett and Wanner, Solving Ordinary Differential Equations I, contd5
        Dense =
        [
            -12715105075 / 11282082432.0, 0, 87487479700 / 32700410799.0, -10690763975 / 1880347072.0,
            701980252875 / 199316789632.0, -1453857185 / 822651844.0, 69997945 / 29380423.0,
        ],
    };

    private static readonly OdeTableau tsit5 = new()
    {
        Order = 5,
        Nodes = [0, 0.161, 0.327, 0.9, 0.9800255409045097, 1, 1],
        Stages =
        [
            [],
            [0.161],
            [-0.008480655492356989, 0.335480655492357],
            [2.8971530571054935, -6.359448489975075, 4.3622954328695815],
            [5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525],
            [5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383],
            [0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774],
        ],
        Weights = [0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774, 0],
        Error =
        [
            -0.00178001105222577714, -0.0008164344596567469, 0.007880878010261995, -0.1447110071732629,
            0.5823571654525552, -0.45808210592918697, 1 / 66.0,
        ],
        Dense =
        [
            -1.0530884977290216, 0.1017, 2.490627285651252793, -16.548102889244902,
            47.37952196281928, -34.87065786149661, 2.5,
        ],
    };

    private static readonly OdeTableau bosh3 = new()
    {
        Order = 3,
        Nodes = [0, 1 / 2.0, 3 / 4.0, 1],
        Stages = [[], [1 / 2.0], [0, 3 / 4.0], [2 / 9.0, 1 / 3.0, 4 / 9.0]],
        Weights = [2 / 9.0, 1 / 3.0, 4 / 9.0, 0],
        Error = [-5 / 72.0, 1 / 12.0, 1 / 9.0, -1 / 8.0],
    };

    private static readonly OdeTableau euler = new() { Order = 1, Nodes = [0], Stages = [[]], Weights = [1] };

    private static readonly OdeTableau midpoint = new() { Order = 2, Nodes = [0, 1 / 2.0], Stages = [[], [1 / 2.0]], Weights = [0, 1] };

    private static readonly OdeTableau rk4 = new()
    {
        Order = 4,
        Nodes = [0, 1 / 2.0, 1 / 2.0, 1],
        Stages = [[], [1 / 2.0], [0, 1 / 2.0], [0, 0, 1]],
        Weights = [1 / 6.0, 1 / 3.0, 1 / 3.0, 1 / 6.0],
    };

    private static readonly OdeTableau threeEighths = new()
    {
        Order = 4,
        Nodes = [0, 1 / 3.0, 2 / 3.0, 1],
        Stages = [[], [1 / 3.0], [-1 / 3.0, 1], [1, -1, 1]],
        Weights = [1 / 8.0, 3 / 8.0, 3 / 8.0, 1 / 8.0],
    };
}
