namespace RealNvp.Kernels;

/// <summary>Numbers of a caller's, of float32 or float64.</summary>
/// <param name="at">Where they are; null for none.</param>
/// <param name="isDouble">Whether they are of float64.</param>
internal readonly unsafe struct RowMemory(void* at, bool isDouble)
{
    public static implicit operator RowMemory(float* at) => new(at, false);

    public static implicit operator RowMemory(double* at) => new(at, true);

    public bool IsDouble => isDouble;

    public bool IsNull => at == null;

    /// <summary>Reads numbers, each rounded to float32 if that is asked for.</summary>
    public void Read(nint from, int count, double* to, bool single)
    {
        if (!IsDouble)
            for (var i = 0; i < count; i++) to[i] = ((float*)at)[from + i];
        else if (single)
            for (var i = 0; i < count; i++) to[i] = (float)((double*)at)[from + i];
        else
            new ReadOnlySpan<double>((double*)at + from, count).CopyTo(new Span<double>(to, count));
    }

    /// <summary>Writes numbers.</summary>
    public void Write(double* from, int count, nint to)
    {
        if (IsDouble) new ReadOnlySpan<double>(from, count).CopyTo(new Span<double>((double*)at + to, count));
        else
            for (var i = 0; i < count; i++) ((float*)at)[to + i] = (float)from[i];
    }

    /// <summary>Whether none of so many is NaN or infinite.</summary>
    public bool AreFinite(long count)
    {
        // NaN and infinity times 0 are NaN, and stay in the sum
        double sum = 0;
        if (IsDouble)
            for (long i = 0; i < count; i++) sum += ((double*)at)[i] * 0;
        else
            for (long i = 0; i < count; i++) sum += ((float*)at)[i] * 0;
        return sum == 0;
    }

    /// <summary>Whether one of so many is NaN or plus infinity.</summary>
    public bool HasFault(int count)
    {
        for (var i = 0; i < count; i++)
            if (!((IsDouble ? ((double*)at)[i] : ((float*)at)[i]) < double.PositiveInfinity)) return true;
        return false;
    }
}

/// <summary>Rows of one call of a <see cref="RowPlan"/>.</summary>
internal readonly unsafe struct RowCall
{
    /// <summary>How many rows.</summary>
    public required int Rows { get; init; }

    /// <summary>(rows, features).</summary>
    public RowMemory X { get; init; }

    /// <summary>(rows, context); null if there is none.</summary>
    public RowMemory Context { get; init; }

    /// <summary>Where the weights are that steps read as they lie; null for a plan that has its own.</summary>
    public nint* Weights { get; init; }

    /// <summary>Whether contexts are what their encoder has given.</summary>
    public bool IsEncoded { get; init; }

    /// <summary>Whether the flow computes in float64.</summary>
    public bool Double { get; init; }

    /// <summary>Whether the step that converts data gives, or takes, those of float64.</summary>
    public bool Wide { get; init; }
}
