namespace RealNvp.Kernels;

/// <summary>The smallest number above 0 of a dtype that has all digits.</summary>
internal static class SmallestNormal
{
    /// <summary>Of float32 or float64.</summary>
    public static double Of(bool single) => single ? 1.1754943508222875e-38 : 2.2250738585072014e-308;

    /// <summary>Of float or double.</summary>
    public static double Of<T>() where T : unmanaged => Of(typeof(T) == typeof(float));
}
