using System.Globalization;
using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Steps that several processes take together, each on its rows of the batch.</content>
internal sealed partial class StepLoop
{
    // none may leave on the way, as the others wait for it in each sum: what is not finite is looked at after all of them
    private (double Loss, double Norm, double? Weight) StepTogether(Ranks ranks, TrainingBatch batch, long step, long seed, double rate)
    {
        var share = batch.Share!;
        optimizer.ZeroGradients();
        Tensor own;
        using (RowShare.Enter(share, ranks))
        {
            using (PassState.WatchedBy(buckets!.Watch()))
                own = BatchLoss.Part(BatchLoss.Of(objective, Flow, batch, seed), batch, share);
            // a backward pass that computes activations again draws the same noise, and takes the same statistics
            Backward(own);
        }
        var mean = buckets.Sum(own);
        if (Hook is not null) mean = Told(batch, step, mean);
        var loss = mean.FetchDouble();
        if (!double.IsFinite(loss)) throw LossFault(ranks, batch, seed, own, loss);
        var norm = ChangeWeights(rate);
        if (!double.IsFinite(norm)) throw ranks.Agreed(faults.OfGradient(statistics, norm));
        return (loss, norm, share.IsWeighted ? share.Weight : null);
    }

    // the process with the row at fault finds the layer, alone; all throw what the first such process says
    private Exception LossFault(Ranks ranks, TrainingBatch batch, long seed, Tensor own, double loss)
    {
        NonFiniteException? found = null;
        statistics.Restore();
        if (own.FetchDouble() is var part && !double.IsFinite(part))
            using (RowShare.Enter(batch.Share, null)) found = faults.OfLoss(batch, seed, part);
        var (rank, text) = ranks.First(found is null ? null : $"{found.Layer}\0{found.Message}");
        if (rank < 0)
            return ranks.Agreed(new NonFiniteException(string.Create(CultureInfo.InvariantCulture,
                $"The loss became {loss} as the sum over {ranks.Size} processes, although the part of each is finite. " +
                $"The weights are those before the step. Use a smaller learning rate, or look for extreme values in the data."),
                objective.Name));
        if (rank == ranks.Rank) return ranks.Agreed(found!);
        var said = text.Split('\0', 2);
        return ranks.Agreed(new NonFiniteException($"Process {rank} of {ranks.Size}: {said[1]}", said[0]));
    }
}
