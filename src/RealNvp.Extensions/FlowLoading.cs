using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using TorchSharp;

namespace RealNvp.Extensions;

/// <summary>Loads the flow of a service, and says in the log what it is.</summary>
internal static partial class FlowLoading
{
    public static TModel Load<TModel>(IServiceProvider provider, Func<IServiceProvider, string> path, FlowServiceOptions options,
        object? key) where TModel : FlowModel
    {
        var logger = Logger(provider);
        // asked for before the flow is there, so that the container disposes it after the flow
        var ends = provider.GetRequiredService<FlowEnds>();
        var file = path(provider);
        if (string.IsNullOrWhiteSpace(file))
            throw new InvalidOperationException(
                $"{Service<TModel>(key)} has no path of a file: it is null or empty. Look at the configuration.");
        var watch = Stopwatch.StartNew();
        TModel model;
        try
        {
            TorchBackend.EnsureAvailable();
            if (options.Threads is { } threads) torch.set_num_threads(threads);
            model = FlowModel.Load<TModel>(file, options.Device);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new InvalidOperationException(
                $"{Service<TModel>(key)} could not be loaded from {Path.GetFullPath(file)}: {e.Message}", e);
        }
        if (options.Dtype is { } dtype) model.to(dtype);
        var (name, full, seconds, rows) = (model.GetName(), Path.GetFullPath(file), watch.Elapsed.TotalSeconds, model.Info.TrainingRows);
        ends.Add(model, full, options.StopTimeout);
        if (rows is { } count) LoadedFitted(logger, name, full, seconds, count);
        else Loaded(logger, name, full, seconds);
        foreach (var warning in model.Warnings) Warned(logger, full, warning);
        return model;
    }

    public static ILogger Logger(IServiceProvider provider) =>
        provider.GetService<ILoggerFactory>()?.CreateLogger(typeof(FlowServiceOptions).Namespace!) ?? NullLogger.Instance;

    private static string Service<TModel>(object? key) => $"The flow {typeof(TModel).Name}{(key is null ? "" : $" with the key '{key}'")}";

    [LoggerMessage(Level = LogLevel.Information,
        Message = "Loaded {Model} from {Path} in {Seconds:0.000} s; it was trained on {Rows} rows.")]
    private static partial void LoadedFitted(ILogger logger, string model, string path, double seconds, long rows);

    // of a model that was not made by Fit nobody knows the rows
    [LoggerMessage(Level = LogLevel.Information, Message = "Loaded {Model} from {Path} in {Seconds:0.000} s.")]
    private static partial void Loaded(ILogger logger, string model, string path, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The flow of {Path}: {Warning}")]
    private static partial void Warned(ILogger logger, string path, string warning);
}
