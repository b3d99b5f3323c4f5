using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using RealNvp.Kernels;

namespace RealNvp.Tests.Kernels;

/// <summary>The functions of lanes against float64.</summary>
public class LaneMathTests
{
    [Fact]
    public void Log_of_one_plus_is_right_to_two_units_in_the_last_place()
    {
        var worst = 0.0;
        // floats lie evenly in their bits, so all magnitudes get their share
        for (var bits = BitConverter.SingleToInt32Bits(1e-30f); bits <= BitConverter.SingleToInt32Bits(1f); bits += 971)
        {
            var x = BitConverter.Int32BitsToSingle(bits);
            var found = Unsafe.BitCast<Lanes512<float>,
                Vector512<float>>(LaneMath<Lanes512<float>, float>.LogOnePlus(Lanes512<float>.Create(x)))[0];
            var exact = 2 * Math.Atanh(x / (2.0 + x));
            worst = Math.Max(worst, Math.Abs(found - exact) / (MathF.BitIncrement((float)exact) - (float)exact));
        }
        worst.Should().BeLessThan(2).And.BePositive();
    }
}
