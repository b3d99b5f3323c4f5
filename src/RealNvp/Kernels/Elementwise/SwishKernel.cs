namespace RealNvp.Kernels;

/// <summary>f(a) = a·σ(βa)·c of numbers, and f′(a)·t of tangents that go through with them; and the gradients of both.</summary>
/// <remarks>f′ = c·(s + u·s·q) and f″ = c·β·s·q·(2 + u·(q − s)) with u = βa, s = σ(u), q = 1 − s. Rows of width numbers, each with
/// so many tangents, one behind the other.</remarks>
internal static unsafe class SwishKernel
{
    /// <summary>What a call reads and writes; null for what it does not.</summary>
    internal struct Call<T> where T : unmanaged
    {
        /// <summary>Inputs: (rows, width), (rows, tangents, width), and in backward the gradients of both results.</summary>
        public T* Input, Tangents, ValueGradient, TangentGradient;

        /// <summary>Results: in backward the gradients of the inputs.</summary>
        public T* Value, Pushed;

        public long Width;

        public int Count;

        public double Beta, Factor;
    }

    /// <summary>Values and pushed tangents of rows.</summary>
    public static void Forward<T>(Call<T> call, long start, long end) where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        var code = new Code<T>(call, start, end, backward: false);
        LaneWidth.Run<Code<T>, T>(code);
    }

    /// <summary>Gradients of inputs and tangents of rows; the result is that of β.</summary>
    public static double Backward<T>(Call<T> call, long start, long end) where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        double sum = 0;
        LaneWidth.Run<Code<T>, T>(new Code<T>(call, start, end, backward: true) { Sum = &sum });
        return sum;
    }

    private readonly struct Code<T>(Call<T> call, long start, long end, bool backward) : ILaneCode<T>
        where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        public double* Sum { get; init; }

        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, T>
        {
            var whole = call.Width / TLanes.Count * TLanes.Count;
            for (var row = start; row < end; row++)
            {
                if (backward)
                {
                    *Sum += Back<TLanes>(row, 0, whole);
                    *Sum += Back<Lanes1<T>>(row, whole, call.Width);
                }
                else
                {
                    There<TLanes>(row, 0, whole);
                    There<Lanes1<T>>(row, whole, call.Width);
                }
            }
        }

        private void There<TLanes>(long row, long from, long to) where TLanes : struct, ILanes<TLanes, T>
        {
            var (at, first) = (row * call.Width, row * call.Count * call.Width);
            var factor = TLanes.Number(call.Factor);
            for (var i = from; i < to; i += TLanes.Count)
            {
                var a = TLanes.Load(call.Input + at + i);
                SwishMath<TLanes, T>.Parts(a, TLanes.Number(call.Beta), out var s, out _, out var product, out var u);
                TLanes.Store(a * s * factor, call.Value + at + i);
                if (call.Count == 0) continue;
                var slope = TLanes.MultiplyAdd(u, product, s) * factor;
                for (var d = 0; d < call.Count; d++)
                    TLanes.Store(slope * TLanes.Load(call.Tangents + first + (d * call.Width) + i),
                        call.Pushed + first + (d * call.Width) + i);
            }
        }

        private double Back<TLanes>(long row, long from, long to) where TLanes : struct, ILanes<TLanes, T>
        {
            var (at, first) = (row * call.Width, row * call.Count * call.Width);
            var (factor, beta, two) = (TLanes.Number(call.Factor), TLanes.Number(call.Beta), TLanes.Number(2));
            var ofBeta = TLanes.Zero;
            for (var i = from; i < to; i += TLanes.Count)
            {
                var a = TLanes.Load(call.Input + at + i);
                var gradient = TLanes.Load(call.ValueGradient + at + i);
                SwishMath<TLanes, T>.Parts(a, beta, out var s, out var q, out var product, out var u);
                var slope = TLanes.MultiplyAdd(u, product, s) * factor;
                product = product * factor;
                var bend = product * TLanes.MultiplyAdd(u, q - s, two);
                var along = TLanes.Zero;
                for (var d = 0; d < call.Count; d++)
                {
                    var place = first + (d * call.Width) + i;
                    var g = TLanes.Load(call.TangentGradient + place);
                    along = TLanes.MultiplyAdd(g, TLanes.Load(call.Tangents + place), along);
                    TLanes.Store(slope * g, call.Pushed + place);
                }
                TLanes.Store(TLanes.MultiplyAdd(beta * bend, along, slope * gradient), call.Value + at + i);
                ofBeta = ofBeta + (a * TLanes.MultiplyAdd(bend, along, a * product * gradient));
            }
            return Total(ofBeta);
        }

        private static double Total<TLanes>(TLanes lanes) where TLanes : struct, ILanes<TLanes, T>
        {
            var numbers = stackalloc T[64];
            TLanes.Store(lanes, numbers);
            var sum = 0.0;
            for (var i = 0; i < TLanes.Count; i++) sum += double.CreateTruncating(numbers[i]);
            return sum;
        }
    }
}
