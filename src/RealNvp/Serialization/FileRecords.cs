using System.Text.Json.Serialization;

namespace RealNvp;

/// <summary>The records that stand in files.</summary>
[JsonSerializable(typeof(FlowInfo))]
[JsonSerializable(typeof(FfjordOptions))]
[JsonSerializable(typeof(GlowOptions))]
[JsonSerializable(typeof(IafOptions))]
[JsonSerializable(typeof(MafOptions))]
[JsonSerializable(typeof(NiceOptions))]
[JsonSerializable(typeof(RealNvpImageOptions))]
[JsonSerializable(typeof(RealNvpVectorOptions))]
[JsonSerializable(typeof(ResidualFlowImageOptions))]
[JsonSerializable(typeof(ResidualFlowVectorOptions))]
[JsonSerializable(typeof(SplineFlowOptions))]
[JsonSerializable(typeof(TrainingOptions))]
[JsonSerializable(typeof(TrainerState))]
internal sealed partial class FileRecords : JsonSerializerContext;
