namespace RealNvp;

/// <summary>Builds a <see cref="SplineFlowModel"/> in which some features are circles, and the others numbers of the line.</summary>
internal static class CircularSplines
{
    // the shifts of new layers part the circle evenly, however many there are
    private const double GoldenRatio = 0.61803398874989485;

    public static Chain Build(SplineFlowOptions options)
    {
        var (shape, circular, low, high) = (options.Shape, options.CircularFeatures, options.CircleLow, options.CircleHigh);
        var real = circular.Complement(shape[0]);
        List<Bijection> layers = [new Wrap(shape, circular, low, high)];
        if (real.Count > 0)
            layers.AddRange(options.ScalingLayers(options.Standardize, [real.Count]).Select(layer => new SubsetLayer(shape, real, layer)));
        for (var i = 0; i < options.Layers; i++)
        {
            if (options.Linear && real.Count > 1) layers.Add(Linear());
            layers.Add(Shift(options, i));
            layers.Add(Coupling(options, MaskOf(i, shape[0])));
        }
        // it also takes back what rounding put beyond an edge
        layers.Add(Shift(options, options.Layers));
        if (options.Linear && real.Count > 1) layers.Add(Linear());
        return new Chain([.. layers]);

        SubsetLayer Linear() => new(shape, real, InvertibleLinearLayer.StartingAsPermutation([real.Count]));
    }

    public static Density Base(SplineFlowOptions options)
    {
        var (count, circular) = (options.Shape[0], options.CircularFeatures);
        var circle = new UniformBox([circular.Count], options.CircleLow, options.CircleHigh);
        if (circular.Count == count) return circle;
        var real = circular.Complement(count);
        return new ProductDensity([count], (circular, circle), (real, options.NewBase([real.Count])));
    }

    private static CouplingLayer Coupling(SplineFlowOptions options, Mask mask)
    {
        SplineTransformer? circle = null, line = null;
        var splines = MixedTransformer.Of(mask, feature => options.CircularFeatures.Contains(feature)
            ? circle ??= new SplineTransformer(options.Bins, options.CircleLow, options.CircleHigh, SplineTails.Circular,
                options.SmallestBin, options.SmallestDerivative)
            : line ??= new SplineTransformer(options.Bins, -options.Bound, options.Bound, SplineTails.Linear, options.SmallestBin,
                options.SmallestDerivative));
        return new CouplingLayer(options.Shape, mask, splines, size => new CircularInput(size, options.CircularFeatures,
            inner => new ResidualMlp(inner.Inputs, inner.Outputs, options.Hidden, options.Blocks, options.ContextSize, options.InputLimit,
                options.Dropout), options.CircleLow, options.CircleHigh));
    }

    private static CircularShift Shift(SplineFlowOptions options, int layer)
    {
        var period = options.CircleHigh - options.CircleLow;
        var shifts = options.CircularFeatures.Select((_, k) => period
            * ((GoldenRatio * (layer + 1)) + (GoldenRatio * GoldenRatio * k)) % period).ToArray();
        return new CircularShift(options.Shape, options.CircularFeatures, options.CircleLow, options.CircleHigh, shifts);
    }

    // without linear layers between circles, other halves let more of them meet
    private static Mask MaskOf(int layer, long features)
    {
        var mask = layer / 2 % 2 == 0 || features == 2 ? Mask.Alternating(features) : Mask.FirstHalf(features);
        return layer % 2 == 0 ? mask : !mask;
    }
}
