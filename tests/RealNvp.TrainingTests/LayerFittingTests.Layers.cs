using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <content>Layers of a user that fit themselves to data, or do not.</content>
public partial class LayerFittingTests
{
    /// <summary>A composite as a user writes it: it calls its parts.</summary>
    private sealed class Both : Bijection
    {
        private readonly Bijection first, second;

        public Both(Bijection first, Bijection second) : base(nameof(Both), EventShape.Create(2))
        {
            (this.first, this.second) = (first, second);
            RegisterComponents();
        }

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
        {
            var (h, a) = first.Forward(x);
            var (z, b) = second.Forward(h);
            return (z, a + b);
        }

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
        {
            var (h, a) = second.Inverse(z);
            var (x, b) = first.Inverse(h);
            return (x, a + b);
        }
    }

    private sealed class Shift(double by) : Bijection(nameof(Shift))
    {
        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x + by, null);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z - by, null);
    }

    /// <summary>A user's layer that refuses to run before it was fitted.</summary>
    private sealed class Centred : Bijection, IFitsData
    {
        private readonly Tensor middle = zeros(2).DetachFromDisposeScope(), set = zeros([], ScalarType.Bool).DetachFromDisposeScope();

        public Centred() : base(nameof(Centred), EventShape.Create(2)) => RegisterComponents();

        public bool IsFitted => set.item<bool>();

        public void Fit(IEnumerable<Tensor> batches)
        {
            double count = 0;
            using var sum = zeros(2, float64);
            foreach (var batch in batches)
            {
                using var _ = NewDisposeScope();
                sum.add_(batch.to(float64).sum([0L]));
                count += batch.shape[0];
            }
            middle.copy_(sum / count);
            set.fill_(true);
        }

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
            IsFitted ? (x - middle, null) : throw new InvalidOperationException("Fit it first.");

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z + middle, null);
    }

    private sealed class Refusing() : Bijection(nameof(Refusing)), IFitsData
    {
        public bool IsFitted => false;

        public void Fit(IEnumerable<Tensor> batches) => throw new ArgumentException("no");

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x, null);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z, null);
    }
}
