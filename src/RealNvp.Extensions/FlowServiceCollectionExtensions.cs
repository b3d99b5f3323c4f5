using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using RealNvp;
using RealNvp.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Flows as services: one instance for all requests, which the container loads and disposes.</summary>
/// <remarks>
/// A flow is asked for by its own class, such as <see cref="RealNvpModel"/>. <see cref="FlowModel"/> is the one that was registered
/// without a class, or else the first one, and <see cref="Flow"/> is always the same one. Of two that are registered alike the later one
/// counts, as for all services: several of a class have keys. A flow is in evaluation mode, so any number of requests may use it at once.
/// The container disposes it when it is disposed itself, which a host does when it has stopped: dispose nothing that comes from there.
/// Calls that still run then have their results, and the container waits for them (<see cref="FlowServiceOptions.StopTimeout"/>); later
/// ones get an <see cref="ObjectDisposedException"/>.
/// </remarks>
public static class FlowServiceCollectionExtensions
{
    /// <summary>Registers the flow of a file, of whatever class it is.</summary>
    /// <param name="services">The services of the application.</param>
    /// <param name="path">A file that <see cref="FlowModel.Save(string)"/> wrote.</param>
    /// <param name="configure">Sets device, dtype, threads and the time of loading; null for the defaults.</param>
    /// <returns>The same services.</returns>
    /// <exception cref="ArgumentException">The path is empty, or an option is out of range. The file is opened later:
    /// <see cref="InvalidOperationException"/> then names it.</exception>
    public static IServiceCollection AddFlow(this IServiceCollection services, string path, Action<FlowServiceOptions>? configure = null) =>
        services.AddFlow<FlowModel>(path, configure);

    /// <summary>Registers the flow of a file, which must be of one class.</summary>
    /// <typeparam name="TModel">The class, such as <see cref="RealNvpModel"/>; <see cref="FlowModel"/> for any.</typeparam>
    /// <inheritdoc cref="AddFlow(IServiceCollection, string, Action{FlowServiceOptions})"/>
    public static IServiceCollection AddFlow<TModel>(this IServiceCollection services, string path,
        Action<FlowServiceOptions>? configure = null) where TModel : FlowModel
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return services.AddFlow<TModel>(_ => path, configure);
    }

    /// <summary>Registers the flow of a file whose path other services know, such as the configuration.</summary>
    /// <typeparam name="TModel">The class, such as <see cref="RealNvpModel"/>; <see cref="FlowModel"/> for any.</typeparam>
    /// <param name="services">The services of the application.</param>
    /// <param name="path">Gives the path of a file that <see cref="FlowModel.Save(string)"/> wrote.</param>
    /// <param name="configure">Sets device, dtype, threads and the time of loading; null for the defaults.</param>
    /// <returns>The same services.</returns>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static IServiceCollection AddFlow<TModel>(this IServiceCollection services, Func<IServiceProvider, string> path,
        Action<FlowServiceOptions>? configure = null) where TModel : FlowModel
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(path);
        var options = Options(configure);
        services.TryAddSingleton(provider => new FlowEnds(FlowLoading.Logger(provider)));
        services.AddSingleton(provider => FlowLoading.Load<TModel>(provider, path, options, key: null));
        if (typeof(TModel) != typeof(FlowModel)) services.TryAddSingleton<FlowModel>(provider => provider.GetRequiredService<TModel>());
        services.TryAddSingleton<Flow>(provider => provider.GetRequiredService<FlowModel>());
        if (options.LoadAtStart)
            services.AddSingleton<IHostedService>(provider => new FlowStart(() => provider.GetRequiredService<TModel>()));
        return services;
    }

    /// <summary>Registers the flow of a file under a key, for services with
    /// several: <c>[FromKeyedServices("fraud")] FlowModel flow</c>.</summary>
    /// <typeparam name="TModel">The class, such as <see cref="RealNvpModel"/>; <see cref="FlowModel"/> for any.</typeparam>
    /// <param name="services">The services of the application.</param>
    /// <param name="key">What the flow is asked for by, beside its class.</param>
    /// <param name="path">A file that <see cref="FlowModel.Save(string)"/> wrote.</param>
    /// <param name="configure">Sets device, dtype, threads and the time of loading; null for the defaults.</param>
    /// <returns>The same services.</returns>
    /// <exception cref="ArgumentException">The path is empty, or an option is out of range.</exception>
    public static IServiceCollection AddKeyedFlow<TModel>(this IServiceCollection services, object key, string path,
        Action<FlowServiceOptions>? configure = null) where TModel : FlowModel
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return services.AddKeyedFlow<TModel>(key, _ => path, configure);
    }

    /// <summary>Registers the flow of a file whose path other services know under a key.</summary>
    /// <inheritdoc cref="AddKeyedFlow{TModel}(IServiceCollection, object, string, Action{FlowServiceOptions})"/>
    public static IServiceCollection AddKeyedFlow<TModel>(this IServiceCollection services, object key, Func<IServiceProvider, string> path,
        Action<FlowServiceOptions>? configure = null) where TModel : FlowModel
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(path);
        var options = Options(configure);
        services.TryAddSingleton(provider => new FlowEnds(FlowLoading.Logger(provider)));
        services.AddKeyedSingleton(key, (provider, _) => FlowLoading.Load<TModel>(provider, path, options, key));
        if (typeof(TModel) != typeof(FlowModel))
            services.TryAddKeyedSingleton<FlowModel>(key, (provider, k) => provider.GetRequiredKeyedService<TModel>(k));
        services.TryAddKeyedSingleton<Flow>(key, (provider, k) => provider.GetRequiredKeyedService<FlowModel>(k));
        if (options.LoadAtStart)
            services.AddSingleton<IHostedService>(provider => new FlowStart(() => provider.GetRequiredKeyedService<TModel>(key)));
        return services;
    }

    private static FlowServiceOptions Options(Action<FlowServiceOptions>? configure)
    {
        var options = new FlowServiceOptions();
        configure?.Invoke(options);
        options.Check();
        return options;
    }
}
