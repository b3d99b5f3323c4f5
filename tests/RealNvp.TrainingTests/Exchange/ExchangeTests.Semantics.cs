using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training.Exchange;

/// <content>What processes decide together, and what is refused.</content>
public partial class ExchangeTests
{
    private static RealNvpModel Small() => new RealNvpModel(RealNvpOptions.Tabular(2) with { Layers = 2, Hidden = 8 }, 1);

    private static TrainingData Part(ThreadExchange exchange, long rows = 90) => TrainingData.From(Rows(rows, 2)).Shard(exchange);

    // a process for each; what its Fit gave or threw
    private static (TrainingResult[] Results, Exception?[] Faults, string?[] Aborted) FitAll(int size, TrainingOptions how,
        Func<ThreadExchange, TrainingData>? data = null, Func<ThreadExchange, FlowModel>? model = null,
            Action<ThreadExchange, Trainer>? set = null,
        Func<int, CancellationToken>? token = null, Func<ThreadExchange, TrainingOptions>? own = null, Objective? objective = null)
    {
        var exchanges = new ThreadExchange[size];
        var (results, faults) = ThreadExchange.RunAll(size, exchange =>
        {
            exchanges[exchange.Rank] = exchange;
            using var scope = NewDisposeScope();
            using var flow = model?.Invoke(exchange) ?? Small();
            using var trainer = new Trainer(flow, objective ?? Objective.MaximumLikelihood, own?.Invoke(exchange)
                ?? how) { Exchange = exchange, BucketBytes = 100 };
            set?.Invoke(exchange, trainer);
            return trainer.Fit(data?.Invoke(exchange) ?? Part(exchange), cancellationToken: token?.Invoke(exchange.Rank) ?? default);
        });
        return (results, faults, Array.ConvertAll(exchanges, e => e.Aborted));
    }

    [Fact]
    public void Resume_goes_on_to_the_same_losses_on_any_number_of_processes()
    {
        using var folder = new TemporaryFolder();
        var whole = TrainOn(2, Of("dropout"), float64, options with { Epochs = 4 })[0];
        var path = Path.Combine(folder.Path, "training.safetensors");
        var first = TrainOn(3, Of("dropout"), float64, options with { CheckpointPath = path });
        first[0].Result.Step.Should().Be(whole.Result.Step / 2);
        Directory.GetFiles(folder.Path).Should().ContainSingle("process 0 alone writes");
        foreach (var size in new[] { 1, 2 })
        {
            var copy = Path.Combine(folder.Path, $"copy{size}.safetensors");
            File.Copy(path, copy);
            var resumed = ThreadExchange.Run(size, exchange =>
            {
                using var scope = NewDisposeScope();
                using var model = new SplineFlowModel(SplineFlowOptions.Miniboone with { Shape = [3], Layers = 2, Dropout = 0.3,
                    Hidden = 8 }, 9);
                model.to(float64);
                using var trainer = Trainer.Resume(copy, model, o => o with { Epochs = 4, CheckpointPath = null });
                trainer.Exchange = exchange;
                return trainer.Fit(TrainingData.From(InRange(70)).Shard(exchange));
            });
            foreach (var result in resumed)
                for (var epoch = 0; epoch < 4; epoch++)
                    result.History[epoch].ValidationLoss!.Value.Should().BeApproximately(whole.Result.History[epoch].ValidationLoss!.Value,
                        1e-9);
        }
    }

    [Fact]
    public void A_resume_from_other_checkpoints_is_refused()
    {
        using var folder = new TemporaryFolder();
        var paths = new[] { 1, 2 }.Select(epochs =>
        {
            var path = Path.Combine(folder.Path, $"{epochs}.safetensors");
            using var model = Small();
            using var trainer = new Trainer(model, options with { Epochs = epochs, CheckpointPath = path });
            using var x = Rows(90, 2);
            trainer.Fit(TrainingData.From(x));
            return path;
        }).ToArray();
        var (_, faults) = ThreadExchange.RunAll(2, exchange =>
        {
            using var scope = NewDisposeScope();
            using var model = Small();
            using var trainer = Trainer.Resume(paths[exchange.Rank], model, o => o with { Epochs = 4, CheckpointPath = null });
            trainer.Exchange = exchange;
            return trainer.Fit(Part(exchange));
        });
        faults[0]!.Message.Should().Contain("Process 1 of 2").And.Contain("state of the training").And.Contain("epoch 2");
        faults[1]!.Message.Should().Contain("another state of the training than process 0");
    }

    [Fact]
    public void Batches_of_loaders_stand_one_after_another_and_a_process_without_one_waits_for_the_others()
    {
        using var off = KernelSwitch.AllOff();
        // the batches of two processes, of other sizes, and one more of the second
        long[][] sizes = [[5, 3], [4, 6, 2]];
        Tensor Rows(int rank, int at) => ExchangeTests.Rows(sizes[rank][at], 2, 10 * rank + at);
        Tensor[] Joined() => [cat([Rows(0, 0), Rows(1, 0)]), cat([Rows(0, 1), Rows(1, 1)]), Rows(1, 2)];
        IEnumerable<Tensor> Own(int rank)
        {
            for (var i = 0; i < sizes[rank].Length; i++) yield return Rows(rank, i);
        }
        IEnumerable<Tensor> All()
        {
            foreach (var batch in Joined()) yield return batch;
        }
        var how = options with { AverageDecay = null };
        FlowModel Model() => new RealNvpModel(RealNvpOptions.Tabular(2) with { Layers = 2, Hidden = 8, FlowBatchNorm = true }, 1);
        using var scope = NewDisposeScope();
        using var model = Model();
        model.to(float64);
        var alone = Train(model, TrainingData.FromBatches(All(), 3), how, null);
        var all = ThreadExchange.Run(2, exchange =>
        {
            using var inner = NewDisposeScope();
            using var own = Model();
            own.to(float64);
            return Train(own, TrainingData.FromBatches(Own(exchange.Rank), sizes[exchange.Rank].Length).AsShard(), how, exchange);
        });
        var parted = ThreadExchange.Run(3, exchange =>
        {
            using var inner = NewDisposeScope();
            using var own = Model();
            own.to(float64);
            return Train(own, TrainingData.FromBatches(All(), 3).Shard(exchange), how, exchange);
        });
        foreach (var trained in all.Concat(parted))
        {
            trained.Result.Step.Should().Be(alone.Result.Step);
            for (var step = 0; step < alone.Gradients.Count; step++)
                Gap(trained.Gradients[step], alone.Gradients[step]).Should().BeLessThan(1e-10, $"step {step}");
            foreach (var (key, values) in alone.State) Gap(trained.State[key], values).Should().BeLessThan(1e-10, key);
        }
    }

    [Fact]
    public void Reversible_training_draws_the_same_noise_and_takes_the_same_statistics_again()
    {
        using var off = KernelSwitch.AllOff();
        var of = Of("images, dequantized, flipped, batch normalization of networks");
        var how = options with { Epochs = 1, Reversible = true };
        var alone = TrainAlone(of, float64, how);
        foreach (var trained in TrainOn(2, of, float64, how))
            for (var step = 0; step < alone.Gradients.Count; step++)
                Gap(trained.Gradients[step], alone.Gradients[step]).Should().BeLessThan(1e-8, $"step {step}");
    }

    [Fact]
    public void Training_stops_early_on_all_in_the_same_epoch()
    {
        var (results, faults, _) = FitAll(3, options with { Epochs = 40, Patience = 2, LearningRate = 0.1, AverageDecay = null });
        faults.Should().OnlyContain(f => f == null);
        results.Select(r => r.Reason).Distinct().Should().Equal(StopReason.EarlyStopped);
        results.Select(r => (r.Step, r.BestEpoch)).Distinct().Should().ContainSingle();
    }

    [Fact]
    public void One_that_is_cancelled_or_out_of_time_stops_all_after_the_same_step()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "training.safetensors");
        using var source = new CancellationTokenSource();
        var (results, faults, aborted) = FitAll(2, options with { Epochs = 1000, Patience = 1000, CheckpointPath = path },
            set: (exchange, trainer) => trainer.AfterBackward = step =>
            {
                if (exchange.Rank == 1 && step.Step == 7) source.Cancel();
            }, token: rank => rank == 1 ? source.Token : default);
        faults.Should().OnlyContain(f => f == null);
        aborted.Should().OnlyContain(a => a == null);
        results.Select(r => r.Reason).Should().Equal(StopReason.Cancelled, StopReason.Cancelled);
        results.Select(r => r.Step).Should().Equal(8, 8);
        File.Exists(path).Should().BeTrue();

        (results, faults, _) = FitAll(2, options, own: exchange => options with { Epochs = 1000, Patience = 1000,
            MaxDuration = TimeSpan.FromSeconds(0.5) });
        faults.Should().OnlyContain(f => f == null);
        results.Select(r => r.Reason).Should().Equal(StopReason.TimeLimit, StopReason.TimeLimit);
        results[0].Step.Should().Be(results[1].Step);
    }

    [Fact]
    public void A_number_that_is_not_finite_on_one_process_ends_all_with_its_name_and_the_weights_before()
    {
        var (_, faults, aborted) = FitAll(2, options with { ValidationFraction = 0 }, exchange => TrainingData.FromBatches(
            Enumerable.Range(0, 3).Select(i => exchange.Rank == 1 && i == 1 ? full([5, 2], float.NaN) : ones(5, 2).add(i)), 3).AsShard(),
            _ => new RealNvpModel(RealNvpOptions.Tabular(2) with { Layers = 2, Hidden = 8, Standardize = false }, 1));
        faults.Should().AllBeOfType<NonFiniteException>();
        faults[0]!.Message.Should().StartWith("Process 1 of 2:").And.Contain("NaN");
        faults[1]!.Message.Should().Contain("of the batch hold NaN or infinity");
        aborted.Should().OnlyContain(a => a == null, "all know of it");
    }

    [Fact]
    public void A_process_that_throws_ends_all()
    {
        var (_, faults, aborted) = FitAll(3, options, set: (exchange, trainer) => trainer.AfterBackward = step =>
        {
            if (exchange.Rank == 2 && step.Step == 1) throw new IOException("the disk is gone");
        });
        faults[2].Should().BeOfType<IOException>();
        aborted[2].Should().Contain("the disk is gone");
        faults[0].Should().BeOfType<ThreadExchange.BrokenException>();
        faults[1].Should().BeOfType<ThreadExchange.BrokenException>();
    }

    [Fact]
    public void Other_options_models_or_data_on_a_process_are_refused_before_any_step()
    {
        Exception?[] With(Func<ThreadExchange, TrainingOptions>? own = null, Func<ThreadExchange, FlowModel>? model = null,
            Func<ThreadExchange, TrainingData>? data = null)
        {
            var (_, faults, aborted) = FitAll(2, options, data, model, own: own);
            aborted.Should().OnlyContain(a => a == null);
            return faults;
        }
        With(own: e => options with { LearningRate = e.Rank == 1 ? 0.01 : 0.001 })[0]!.Message.Should()
            .Contain("Process 1 of 2").And.Contain("options of the training").And.Contain("0.01");
        With(model: e => new RealNvpModel(RealNvpOptions.Tabular(2) with { Layers = 2, Hidden = 8 + e.Rank }, 1))[1]!.Message.Should()
            .Contain("another flow than process 0");
        With(data: e => e.Rank == 0 ? Part(e) : TrainingData.FromBatches([Rows(5, 2)]).AsShard())[0]!.Message.Should()
            .Contain("kind of data");
        With(data: e => e.Rank == 0 ? Part(e) : TrainingData.From(Rows(90, 2)))[0]!.Message.Should()
            .Contain("does not say which part").And.Contain("AsShard");
        With(data: e => TrainingData.From(Rows(90, e.Rank == 0 ? 2 : 3)).AsShard())[0]!.Message.Should().Contain("Process 1 of 2");
    }

    [Fact]
    public void A_part_of_the_data_without_an_exchange_is_refused()
    {
        using var scope = NewDisposeScope();
        using var model = Small();
        using var trainer = new Trainer(model, options);
        trainer.Invoking(t => t.Fit(TrainingData.From(Rows(90, 2)).Shard(0, 2))).Should().Throw<ArgumentException>()
            .WithMessage("*Exchange*");
        FluentActions.Invoking(() => TrainingData.From(Rows(2, 2)).Shard(0, 3)).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => TrainingData.From(Rows(9, 2)).Shard(3, 3)).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void What_would_give_other_numbers_than_one_process_is_refused_by_name()
    {
        string Refusal(FlowModel model, Objective? objective = null, Func<ThreadExchange, TrainingData>? data = null)
        {
            var (_, faults, aborted) = FitAll(2, options, data, e => e.Rank == 0 ? model
                : model.ModelOptions.NewModel(), objective: objective);
            aborted.Should().OnlyContain(a => a == null);
            faults.Should().OnlyContain(f => f != null);
            return faults[0]!.Message;
        }
        Refusal(new RealNvpModel(RealNvpOptions.Tabular(2) with { Scaling = FeatureScaling.Quantiles }, 1)).Should().Contain("quantiles");
        Refusal(new FfjordModel(FfjordOptions.Toy2D with { Hidden = 4 }, 1), Objective.FlowMatching()).Should()
            .Contain("depends on others");
        Refusal(Small(), Objective.ReverseKl(x => x.square().sum(1).neg(), 8), _ => TrainingData.None(4).AsShard()).Should()
            .Contain("draws its examples itself");
    }

    private static Flow With(nn.Module<Tensor, Tensor> network) => new([2], new AffineCouplingLayer([2], Mask.Alternating(2), network));

    [Fact]
    public void Networks_of_torch_that_draw_or_mix_by_themselves_are_refused_by_name()
    {
        string Refusal(Func<Flow> flow)
        {
            var (_, faults) = ThreadExchange.RunAll(2, exchange =>
            {
                using var scope = NewDisposeScope();
                using var own = flow();
                using var trainer = new Trainer(own, options) { Exchange = exchange };
                return trainer.Fit(Part(exchange));
            });
            return faults[0]!.Message;
        }
        Refusal(() => With(nn.Sequential(nn.Linear(1, 4), nn.Dropout(0.5), nn.Linear(4, 2)))).Should().Contain("SeededDropout");
        Refusal(() => With(nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)))).Should().Contain("ChannelBatchNorm");
    }

    [SlowTheory, MemberData(nameof(PresetTable.Names), MemberType = typeof(PresetTable))]
    public void Every_preset_trains_on_three_processes_as_on_one(string name)
    {
        using var off = KernelSwitch.AllOff();
        var of = new Case(name, () => PresetTable.Create(name), () => (PresetTable.Examples(PresetTable.All[name], 31),
            PresetTable.Context(PresetTable.All[name], 31), null));
        var how = options with { Epochs = 1, BatchSize = 10, ValidationFraction = 0.2 };
        // quantiles are refused, which another test shows
        if (name.Contains("quantiles", StringComparison.Ordinal)) return;
        var alone = TrainAlone(of, float64, how);
        foreach (var trained in TrainOn(3, of, float64, how))
        {
            Gap(trained.Gradients[0], alone.Gradients[0]).Should().BeLessThan(1e-11);
            foreach (var (key, values) in alone.State) Gap(trained.State[key], values).Should().BeLessThan(1e-7, key);
        }
    }
}
