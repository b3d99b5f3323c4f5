using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Ode;

/// <summary>Equations with known solutions, and famous ones.</summary>
internal static class Problems
{
    /// <summary>y' = −y + 2 cos t − sin 2t · y / 2: smooth, depends on t, and
    /// its solution is known: see <see cref="Pendulum"/> for none.</summary>
    public static Tensor Swing(Tensor t, Tensor y) => stack([y.select(1, 1), y.select(1, 0).neg()], 1).mul(t.cos().add(2).unsqueeze(1));

    /// <summary>The solution of <see cref="Swing"/> from (1, 0) at t = 0: it turns by 2 t + sin t.</summary>
    public static (double, double) SwingAt(double t) => (Math.Cos((2 * t) + Math.Sin(t)), -Math.Sin((2 * t) + Math.Sin(t)));

    public static Func<Tensor, Tensor, Tensor> VanDerPol(double mu) => (_, y) =>
    {
        var (x, v) = (y.select(1, 0), y.select(1, 1));
        return stack([v, x.mul(x).neg().add(1).mul(v).mul(mu).sub(x)], 1);
    };

    public static Tensor Lorenz(Tensor t, Tensor y)
    {
        var (a, b, c) = (y.select(1, 0), y.select(1, 1), y.select(1, 2));
        return stack([b.sub(a).mul(10), a.mul(c.neg().add(28)).sub(b), a.mul(b).sub(c.mul(8 / 3.0))], 1);
    }

    /// <summary>A satellite between earth and moon, in a frame that turns with them
    /// (Hairer, Nørsett and Wanner I, section II.0): after one period it is back.</summary>
    public static Tensor Arenstorf(Tensor t, Tensor y)
    {
        const double mu = 0.012277471, rest = 1 - mu;
        var (p, q, u, v) = (y.select(1, 0), y.select(1, 1), y.select(1, 2), y.select(1, 3));
        var first = p.add(mu).pow(2).add(q.pow(2)).pow(1.5);
        var second = p.sub(rest).pow(2).add(q.pow(2)).pow(1.5);
        var pull = p.add(v.mul(2)).sub(p.add(mu).mul(rest).div(first)).sub(p.sub(rest).mul(mu).div(second));
        var side = q.sub(u.mul(2)).sub(q.mul(rest).div(first)).sub(q.mul(mu).div(second));
        return stack([u, v, pull, side], 1);
    }

    public static readonly double[] ArenstorfStart = [0.994, 0, 0, -2.00158510637908252240537862224];

    public const double ArenstorfPeriod = 17.0652165601579625588917206249;
}
