using System.Collections.Immutable;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace RealNvp.Tests.House;

/// <summary>
/// Which types of a compiled assembly know which others of it: by base types, interfaces, fields, signatures, attributes of
/// generics, locals and every instruction of every method. A nested type, a lambda or a state machine counts as the type around it.
/// </summary>
/// <remarks>What a compiler writes into the caller, constants and nameof,
/// is not seen here; see <see cref="Floors"/> for constants.</remarks>
internal sealed class TypeArrows : ISignatureTypeProvider<ImmutableArray<string>, object?>
{
    private static readonly Dictionary<ushort, OperandType> operands = typeof(OpCodes).GetFields()
        .Select(f => (OpCode)f.GetValue(null)!).ToDictionary(o => (ushort)o.Value, o => o.OperandType);

    private readonly MetadataReader reader;
    private readonly HashSet<(string From, string To)> arrows = [];

    private TypeArrows(PEReader file)
    {
        reader = file.GetMetadataReader();
        foreach (var handle in reader.TypeDefinitions) Read(file, handle);
    }

    /// <summary>All pairs of names of types that are not nested, such as ("Flow", "Bijection").</summary>
    public static IReadOnlySet<(string From, string To)> In(string path)
    {
        using var file = new PEReader(File.OpenRead(path));
        return new TypeArrows(file).arrows;
    }

    private void Read(PEReader file, TypeDefinitionHandle handle)
    {
        var type = reader.GetTypeDefinition(handle);
        var owner = Outermost(handle);
        Add(owner, Of(type.BaseType));
        foreach (var i in type.GetInterfaceImplementations()) Add(owner, Of(reader.GetInterfaceImplementation(i).Interface));
        foreach (var field in type.GetFields()) Add(owner, reader.GetFieldDefinition(field).DecodeSignature(this, null));
        foreach (var parameter in type.GetGenericParameters()) Constraints(owner, parameter);
        foreach (var m in type.GetMethods())
        {
            var method = reader.GetMethodDefinition(m);
            Add(owner, All(method.DecodeSignature(this, null)));
            foreach (var parameter in method.GetGenericParameters()) Constraints(owner, parameter);
            if (method.RelativeVirtualAddress == 0) continue;
            var body = file.GetMethodBody(method.RelativeVirtualAddress);
            if (!body.LocalSignature.IsNil)
                foreach (var local in reader.GetStandaloneSignature(body.LocalSignature).DecodeLocalSignature(this, null))
                    Add(owner, local);
            foreach (var region in body.ExceptionRegions)
                if (!region.CatchType.IsNil) Add(owner, Of(region.CatchType));
            Instructions(owner, body.GetILReader());
        }
    }

    private void Constraints(string owner, GenericParameterHandle parameter)
    {
        foreach (var constraint in reader.GetGenericParameter(parameter).GetConstraints())
            Add(owner, Of(reader.GetGenericParameterConstraint(constraint).Type));
    }

    private void Instructions(string owner, BlobReader il)
    {
        while (il.RemainingBytes > 0)
        {
            ushort code = il.ReadByte();
            if (code == 0xFE) code = (ushort)(0xFE00 | il.ReadByte());
            switch (operands[code])
            {
                case OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType:
                    Add(owner, Of(System.Reflection.Metadata.Ecma335.MetadataTokens.EntityHandle(il.ReadInt32())));
                    break;
                case OperandType.InlineSwitch:
                    var targets = il.ReadInt32();
                    il.Offset += 4 * targets;
                    break;
                case OperandType.InlineI8 or OperandType.InlineR: il.Offset += 8; break;
                case OperandType.InlineVar: il.Offset += 2; break;
                case OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar: il.Offset += 1; break;
                case OperandType.InlineNone: break;
                default: il.Offset += 4; break;
            }
        }
    }

    private void Add(string from, ImmutableArray<string> targets)
    {
        foreach (var to in targets)
            if (to != from) arrows.Add((from, to));
    }

    // the types that a handle of an instruction or of a table speaks of
    private ImmutableArray<string> Of(EntityHandle handle)
    {
        if (handle.IsNil) return [];
        switch (handle.Kind)
        {
            case HandleKind.TypeDefinition: return [Outermost((TypeDefinitionHandle)handle)];
            case HandleKind.TypeSpecification: return reader.GetTypeSpecification((TypeSpecificationHandle)handle).DecodeSignature(this,
                null);
            case HandleKind.FieldDefinition:
                var field = reader.GetFieldDefinition((FieldDefinitionHandle)handle);
                return [Outermost(field.GetDeclaringType()), .. field.DecodeSignature(this, null)];
            case HandleKind.MethodDefinition:
                var method = reader.GetMethodDefinition((MethodDefinitionHandle)handle);
                return [Outermost(method.GetDeclaringType()), .. All(method.DecodeSignature(this, null))];
            case HandleKind.MethodSpecification:
                var specification = reader.GetMethodSpecification((MethodSpecificationHandle)handle);
                return [.. Of(specification.Method), .. specification.DecodeSignature(this, null).SelectMany(t => t)];
            case HandleKind.MemberReference:
                var member = reader.GetMemberReference((MemberReferenceHandle)handle);
                return [.. Of(member.Parent), .. member.GetKind() == MemberReferenceKind.Field ? member.DecodeFieldSignature(this, null)
                    : All(member.DecodeMethodSignature(this, null))];
            default: return [];
        }
    }

    private static ImmutableArray<string> All(MethodSignature<ImmutableArray<string>> signature) =>
        [.. signature.ReturnType, .. signature.ParameterTypes.SelectMany(p => p)];

    private string Outermost(TypeDefinitionHandle handle)
    {
        for (var around = reader.GetTypeDefinition(handle).GetDeclaringType(); !around.IsNil; around = reader.GetTypeDefinition(handle)
                .GetDeclaringType())
            handle = around;
        return reader.GetString(reader.GetTypeDefinition(handle).Name).Split('`')[0];
    }

    ImmutableArray<string> ISimpleTypeProvider<ImmutableArray<string>>.GetTypeFromDefinition(MetadataReader r, TypeDefinitionHandle handle,
        byte kind) => [Outermost(handle)];

    ImmutableArray<string> ISimpleTypeProvider<ImmutableArray<string>>.GetTypeFromReference(MetadataReader r, TypeReferenceHandle handle,
        byte kind) => [];

    ImmutableArray<string> ISimpleTypeProvider<ImmutableArray<string>>.GetPrimitiveType(PrimitiveTypeCode code) => [];

    ImmutableArray<string> ISignatureTypeProvider<ImmutableArray<string>,
        object?>.GetTypeFromSpecification(MetadataReader r, object? context, TypeSpecificationHandle handle, byte kind) =>
        r.GetTypeSpecification(handle).DecodeSignature(this, context);

    ImmutableArray<string> ISignatureTypeProvider<ImmutableArray<string>,
        object?>.GetFunctionPointerType(MethodSignature<ImmutableArray<string>> signature) => All(signature);

    ImmutableArray<string> ISignatureTypeProvider<ImmutableArray<string>, object?>.GetGenericMethodParameter(object? context, int index) =>
        [];

    ImmutableArray<string> ISignatureTypeProvider<ImmutableArray<string>, object?>.GetGenericTypeParameter(object? context, int index) =>
        [];

    ImmutableArray<string> ISignatureTypeProvider<ImmutableArray<string>,
        object?>.GetModifiedType(ImmutableArray<string> modifier, ImmutableArray<string> type, bool required) => type;

    ImmutableArray<string> ISignatureTypeProvider<ImmutableArray<string>, object?>.GetPinnedType(ImmutableArray<string> type) => type;

    ImmutableArray<string> ISZArrayTypeProvider<ImmutableArray<string>>.GetSZArrayType(ImmutableArray<string> type) => type;

    ImmutableArray<string> IConstructedTypeProvider<ImmutableArray<string>>.GetArrayType(ImmutableArray<string> type, ArrayShape shape) =>
        type;

    ImmutableArray<string> IConstructedTypeProvider<ImmutableArray<string>>.GetByReferenceType(ImmutableArray<string> type) => type;

    ImmutableArray<string> IConstructedTypeProvider<ImmutableArray<string>>.GetPointerType(ImmutableArray<string> type) => type;

    ImmutableArray<string> IConstructedTypeProvider<ImmutableArray<string>>.GetGenericInstantiation(ImmutableArray<string> type,
        ImmutableArray<ImmutableArray<string>> arguments) =>
        [.. type, .. arguments.SelectMany(a => a)];
}
