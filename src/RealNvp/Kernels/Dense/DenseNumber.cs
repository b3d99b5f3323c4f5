namespace RealNvp.Kernels;

/// <summary>A number that is known when a kernel is compiled.</summary>
internal interface IDenseNumber
{
    static abstract int Value { get; }
}

internal readonly struct Dense1 : IDenseNumber { public static int Value => 1; }
internal readonly struct Dense2 : IDenseNumber { public static int Value => 2; }
internal readonly struct Dense3 : IDenseNumber { public static int Value => 3; }
internal readonly struct Dense4 : IDenseNumber { public static int Value => 4; }
internal readonly struct Dense5 : IDenseNumber { public static int Value => 5; }
internal readonly struct Dense6 : IDenseNumber { public static int Value => 6; }
