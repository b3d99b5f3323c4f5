using System.Reflection;
using RealNvp.Checking;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Arguments;

/// <summary>One call with a wrong argument.</summary>
/// <param name="Name">Subject, member, parameter and value.</param>
/// <param name="Run">Makes the arguments and calls.</param>
internal sealed record SweepCall(string Name, Action Run);

/// <summary>Every public member of the library, each called with every wrong
/// value of every parameter, the other arguments being right.</summary>
internal static class SweepCalls
{
    // they set the process up, or are no place for wrong arguments
    private static readonly HashSet<string> left = ["CpuTuning", "TorchBackend", "CpuSetting", "CpuTuningOptions", "CpuTuningReport"];
    private static readonly HashSet<string> leftMembers = ["Equals", "GetHashCode", "ToString", "GetType", "<Clone>$", "Deconstruct",
        "op_Equality", "op_Inequality", "Dispose", "GetEnumerator"];
    private static readonly Assembly library = typeof(Bijection).Assembly;

    public static IReadOnlyList<SweepCall> All(string folder) =>
        [.. Methods(folder), .. Constructors(folder), .. Statics(folder), .. OptionsOfModels(), .. Spans()];

    private static IEnumerable<SweepCall> Methods(string folder)
    {
        foreach (var subject in SweepSubject.All())
        {
            var type = subject.Make().GetType();
            var methods = type.GetMethods(BindingFlags.Public | BindingFlags.Instance).Where(m => m.DeclaringType!.Assembly == library
                && !leftMembers.Contains(m.Name) && !m.IsGenericMethod && !HasSpans(m)).ToArray();
            foreach (var method in methods)
                foreach (var call in Calls($"{subject.Name}: {type.Name}.{method.Name}", method.GetParameters(),
                    (self, p) => p.ParameterType == typeof(Tensor) || p.Name == "parts" ? Tensor(subject, self!, p)
                    : Good(p, type, folder), subject.Make, (self, a) => method.Invoke(self, a)))
                    yield return call;
        }
    }

    private static object? Tensor(SweepSubject subject, object self, ParameterInfo p) =>
        p.Name == "parts" ? new[] { subject.Tensors(self, "parts")! } : subject.Tensors(self, p.Name!);

    private static IEnumerable<SweepCall> Constructors(string folder)
    {
        foreach (var type in library.GetExportedTypes().Where(t => !t.IsAbstract && !t.IsEnum && !left.Contains(t.Name)))
            foreach (var constructor in type.GetConstructors().Where(c => !HasSpans(c)))
                foreach (var call in Calls($"new {type.Name}", constructor.GetParameters(), (_, p) => Good(p, type, folder), null,
                    (_, a) => constructor.Invoke(a)))
                    yield return call;
    }

    private static IEnumerable<SweepCall> Statics(string folder)
    {
        foreach (var type in library.GetExportedTypes().Where(t => !t.IsEnum && !left.Contains(t.Name)))
            foreach (var method in type.GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly)
                .Where(m => !leftMembers.Contains(m.Name) && !m.IsGenericMethod && !HasSpans(m)))
                foreach (var call in Calls($"{type.Name}.{method.Name}", method.GetParameters(), (_, p) => Good(p, type, folder), null,
                    (_, a) => method.Invoke(null, a)))
                    yield return call;
    }

    // a property of the options that is wrong: whoever takes the options says so
    private static IEnumerable<SweepCall> OptionsOfModels()
    {
        ModelOptions[] models = [RealNvpOptions.Tabular(4), RealNvpOptions.Image([1, 4, 4], 2, 1, 4), NiceOptions.Tabular(4),
            GlowOptions.Digits8x8, SplineFlowOptions.Tabular(4), MafOptions.Tabular(4), IafOptions.Tabular(4)];
        foreach (var options in models)
            foreach (var call in Properties(options, o => ((ModelOptions)o).NewModel()))
                yield return call;
        foreach (var call in Properties(new TrainingOptions(), o => new Trainer(SweepSubject.Model(), (TrainingOptions)o)))
            yield return call;
        foreach (var call in Properties(new MadeOptions(), o => new Made(4, 2, (MadeOptions)o))) yield return call;
        foreach (var call in Properties(new AdamOptions(), o => new AdamOptimizer(SweepSubject.Model(), (AdamOptions)o))) yield return call;
        foreach (var call in Properties(new ResidualConvNetOptions(), o => new ResidualConvNet(2, 4, (ResidualConvNetOptions)o)))
            yield return call;
        foreach (var call in Properties(new FlowCheckOptions(), o => FlowCheck.Verify(() => new DiagonalScaling([2]), [2],
                (FlowCheckOptions)o)))
            yield return call;
        foreach (var schedule in new LearningRateSchedule[] { new ConstantSchedule(), new CosineSchedule(), new ExponentialSchedule(),
            new StepSchedule() })
            foreach (var call in Properties(schedule, o => ((LearningRateSchedule)o).At(3, 10)))
                yield return call;
    }

    private static IEnumerable<SweepCall> Properties(object options, Func<object, object?> use)
    {
        var clone = options.GetType().GetMethod("<Clone>$")!;
        foreach (var property in options.GetType().GetProperties().Where(p => p.SetMethod is { IsPublic: true }))
            foreach (var (name, make) in SweepValues.Wrong(property.PropertyType, () => property.GetValue(options)))
                yield return new($"{options.GetType().Name}.{property.Name}: {name}", () =>
                {
                    var changed = clone.Invoke(options, null)!;
                    property.SetValue(changed, make());
                    _ = use(changed);
                });
    }

    // what reflection cannot call
    private static IEnumerable<SweepCall> Spans()
    {
        foreach (var (name, shape) in SweepValues.Wrong(typeof(EventShape), () => null))
        {
            yield return new($"new Mask(shape: {name})", () => _ = new Mask((EventShape)shape()!, [true, false]));
            yield return new($"EventShape.Matches on {name}", () => ((EventShape)shape()!).Matches([1, 2]));
            yield return new($"EventShape.WithBatch on {name}", () => ((EventShape)shape()!).WithBatch(-1, long.MaxValue));
        }
        foreach (var sizes in new long[][] { [], [-5], [long.MaxValue, long.MaxValue], [long.MinValue], new long[1000] })
        {
            yield return new($"EventShape.Create({sizes.Length})", () => EventShape.Create(sizes));
            yield return new($"Noise.Normal({sizes.Length})", () => Noise.Normal(sizes, ScalarType.Float32, CPU, null));
            yield return new($"Noise.Uniform({sizes.Length})", () => Noise.Uniform(sizes, ScalarType.Float32, CPU, null));
        }
        foreach (var dtype in new[] { ScalarType.Int64, (ScalarType)99, ScalarType.Bool })
            yield return new($"Noise.Normal({dtype})", () => Noise.Normal([2], dtype, CPU, null));
        yield return new("Noise.Normal(no device)", () => Noise.Normal([2], ScalarType.Float32, null!, null));
    }

    private static IEnumerable<SweepCall> Calls(string member, ParameterInfo[] parameters, Func<object?, ParameterInfo, object?> good,
        Func<object>? self, Action<object?, object?[]> call)
    {
        if (parameters.Length == 0 && self is not null)
        {
            yield return new($"{member}()", () => call(self(), []));
            yield return new($"{member}() of what is disposed", () => call(Disposed(self()), []));
        }
        for (var i = 0; i < parameters.Length; i++)
        {
            var p = parameters[i];
            var at = i;
            // the maker of wrong values needs the object itself: a new one for each call
            foreach (var (name, _) in SweepValues.Wrong(p.ParameterType, () => good(self?.Invoke(), p)))
            {
                // a sum over so many samples takes no memory, and is long, but not wrong
                if ((member.EndsWith(".Estimate", StringComparison.Ordinal) || member.EndsWith(".EstimateNormalizer",
                        StringComparison.Ordinal)) && p.Name == "samples" && name.Length > 9 && name[0] != '-')
                    continue;
                yield return new($"{member}({p.Name}: {name})", () =>
                {
                    var target = self?.Invoke();
                    var arguments = parameters.Select(q => good(target, q)).ToArray();
                    arguments[at] = SweepValues.Wrong(p.ParameterType, () => good(target, p)).First(w => w.Name == name).Make();
                    call(target, arguments);
                });
            }
        }
        if (parameters.Length > 0 && self is not null)
            yield return new($"{member} of what is disposed", () =>
            {
                var target = self();
                var arguments = parameters.Select(q => good(target, q)).ToArray();
                call(Disposed(target), arguments);
            });
    }

    private static object Disposed(object target)
    {
        (target as IDisposable)?.Dispose();
        return target;
    }

    private static bool HasSpans(MethodBase method) =>
        method.GetParameters().Any(p => p.ParameterType.IsByRefLike || p.ParameterType.IsByRef || p.ParameterType.IsPointer);

    private static readonly HashSet<string> ofImages = [nameof(Squeeze), nameof(HaarSqueeze), nameof(PeriodicConv2d), nameof(LearnedPrior),
        nameof(MultiScaleLayer), nameof(RandomHorizontalFlip)];

    private static object? Good(ParameterInfo p, Type owner, string folder)
    {
        var type = p.ParameterType;
        if (type == typeof(EventShape))
            return ofImages.Contains(owner.Name) ? EventShape.Create(2, 4, 4) : p.Name == "scaleShape" ? EventShape.Create(1)
                : EventShape.Create(4);
        if (p.HasDefaultValue && (type.IsClass || type.IsInterface || Nullable.GetUnderlyingType(type) is not null)) return null;
        if (p.HasDefaultValue)
            return p.DefaultValue is null ? Activator.CreateInstance(type) : type.IsEnum ? Enum.ToObject(type, p.DefaultValue)
                : p.DefaultValue;
        if (type == typeof(Tensor))
            return p.Name == "logWeights" ? zeros(2) : p.Name == "tensor" ? tensor(new[] { true, false, true, false }) : zeros(2, 4);
        if (type == typeof(long)) return p.Name is "step" ? 3L : 4L;
        if (type == typeof(int)) return 2;
        if (type == typeof(double)) return p.Name == "alpha" ? 0.05 : 1.0;
        if (type == typeof(bool)) return false;
        if (type == typeof(string))
            return p.Name is "path" ? Path.Combine(folder, "file.safetensors") : p.Name == "text" ? MafOptions.Toy2D.ToJson() : "name";
        if (type == typeof(Stream)) return SweepValues.Saved();
        if (type == typeof(ScalarType)) return ScalarType.Float32;
        if (type == typeof(Device)) return CPU;
        if (type == typeof(Mask)) return Mask.FirstHalf(4);
        if (type == typeof(Flow) || type == typeof(FlowModel)) return SweepSubject.Model();
        if (type == typeof(Bijection)) return new DiagonalScaling([4]);
        if (type == typeof(ScalarTransformer)) return new AffineTransformer([1]);
        if (type == typeof(Conditioner)) return new ResidualMlp(2, owner == typeof(AdditiveCouplingLayer) ? 2 : 4, 8, 1);
        if (type == typeof(nn.Module<Tensor, Tensor>)) return nn.Linear(2, 4);
        if (type == typeof(nn.Module)) return nn.Linear(2, 4);
        if (type == typeof(Made)) return new Made(4, 2, new() { Hidden = 8 });
        if (type == typeof(TrainingData)) return TrainingData.From(zeros(8, 4));
        if (type == typeof(Func<Tensor, Tensor>)) return (Func<Tensor, Tensor>)(z => z.square().sum(1).neg());
        if (type == typeof(Func<Bijection>)) return (Func<Bijection>)(() => new DiagonalScaling([4]));
        if (type == typeof(Func<ConditionerSizes, Conditioner>))
            return (Func<ConditionerSizes, Conditioner>)(s => new ResidualMlp(s.Inputs, s.Outputs, 8, 1, s.ContextSize));
        if (type == typeof(IReadOnlyList<Bijection>)) return new Bijection[] { new DiagonalScaling([4]), new DiagonalScaling([4]) };
        if (type == typeof(IReadOnlyList<long>) || type == typeof(long[])) return new long[] { 1, 0, 3, 2 };
        if (type == typeof(IReadOnlyList<Tensor>)) return new[] { zeros(2, 4) };
        if (type == typeof(IReadOnlyDictionary<string, Tensor>)) return new Dictionary<string, Tensor> { ["x"] = zeros(2) };
        if (typeof(ModelOptions).IsAssignableFrom(type)) return type.Name switch
        {
            nameof(RealNvpOptions) => RealNvpOptions.Toy2D,
            nameof(NiceOptions) => NiceOptions.Tabular(4),
            nameof(GlowOptions) => GlowOptions.Digits8x8,
            nameof(SplineFlowOptions) => SplineFlowOptions.Toy2D,
            nameof(MafOptions) => MafOptions.Toy2D,
            nameof(IafOptions) => IafOptions.Toy2D,
            _ => RealNvpOptions.Toy2D,
        };
        return type.IsValueType ? Activator.CreateInstance(type) : null;
    }
}
