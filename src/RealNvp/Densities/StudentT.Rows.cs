using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>The density on few rows.</content>
public sealed unsafe partial class StudentT : IDrawsRows
{
    RowDensity IRowDensity.Rows(RowBuilder builder) =>
        new WeightStudentRows(builder.Numbers(() => log_degrees), SpecialFunctions.LogGamma);

    bool IDrawsRows.TryDraw(int count, double temperature, Generator? generator, double* z)
    {
        if (!TryReadDegrees(out var logs)) return false;
        var size = count * Shape.NumElements;
        // all turns, and then all radii, as two tensors of noise would be drawn
        var turns = Noise.Few(2 * size, generator);
        Polar(turns, turns + size, size, logs, temperature, z);
        return true;
    }

    private bool TryReadDegrees(out void* logs)
    {
        logs = null;
        return log_degrees.dtype is ScalarType.Float32 or ScalarType.Float64
            && KernelMemory.TryGet(log_degrees.Handle, log_degrees.dtype, Shape.NumElements, out logs);
    }

    // what the operations of a sample make of uniform numbers
    private void Polar(double* turns, double* uniform, long size, void* logs, double temperature, double* z)
    {
        var count = Shape.NumElements;
        var single = log_degrees.dtype == ScalarType.Float32;
        for (long i = 0; i < count; i++)
        {
            var nu = StudentRows.Degrees(single ? ((float*)logs)[i] : ((double*)logs)[i]);
            for (var j = i; j < size; j += count)
            {
                var radius = Math.Sqrt(nu * SpecialFunctions.ExpMinusOne(-2 / nu * Math.Log(Math.Max(uniform[j], LeastUniform))));
                z[j] = Math.Cos(2 * Math.PI * turns[j]) * radius * temperature;
            }
        }
    }
}
