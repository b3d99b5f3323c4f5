using System.Globalization;

namespace RealNvp.Tests.Mpi;

/// <summary>Two network namespaces that a cable of the kernel joins, as two hosts; the launcher starts processes in the second one by a
/// script, as it would by ssh. Both are gone in the end.</summary>
internal sealed class TwoHosts : IDisposable
{
    private const string Net = "10.77.0";

    private readonly string name = $"rn{Environment.ProcessId}";
    private readonly string folder, agent;
    private readonly List<string> made = [];

    /// <summary>Makes them, or skips the test and says why.</summary>
    /// <param name="folder">Where the script may lie.</param>
    public TwoHosts(string folder)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "network namespaces are made by root on Linux");
        MpiRun.Need("ip");
        (this.folder, agent) = (folder, Path.Combine(folder, "agent.sh"));
        try
        {
            foreach (var host in new[] { 1, 2 })
            {
                var (code, said) = Say("netns", "add", Host(host));
                Assert.SkipUnless(code == 0, $"network namespaces cannot be made here: {said}");
                made.Add(Host(host));
            }
            Ip("link", "add", Cable(1), "netns", Host(1), "type", "veth", "peer", "name", Cable(2), "netns", Host(2));
            foreach (var host in new[] { 1, 2 })
            {
                Ip("-n", Host(host), "addr", "add", $"{Net}.{host}/24", "dev", Cable(host));
                Ip("-n", Host(host), "link", "set", "lo", "up");
                Ip("-n", Host(host), "link", "set", Cable(host), "up");
            }
            File.WriteAllText(agent, $"""
                #!/bin/sh
                number=$(echo "$1" | sed 's/.*[.]//'); shift
                exec ip netns exec {name}h$number unshare -u sh -c "echo host$number > /proc/sys/kernel/hostname; $*"

                """);
            MpiRun.Program(["chmod", "+x", agent], folder);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The command that starts what comes behind it, one process on each host.</summary>
    public string[] Launch(string launcher) => ["ip", "netns", "exec", Host(1), launcher, .. launcher.EndsWith("openmpi",
        StringComparison.Ordinal)
        ? [
            "--allow-run-as-root", "--host", $"{Net}.1:1,{Net}.2:1", "--mca", "plm_rsh_agent", agent, "--mca", "btl", "tcp,self",
            "--mca", "btl_tcp_if_include", $"{Net}.0/24", "--mca", "oob_tcp_if_include", $"{Net}.0/24",
            "--mca", "mpi_yield_when_idle", "1", .. MpiRun.Variables.SelectMany(v => new[] { "-x", v }), "-n", "2",
        ]
        // else its networks (UCX, libfabric) find that both have one memory, and do not use the cable
        : new[]
        {
            "-launcher", "rsh", "-launcher-exec", agent, "-genv", "UCX_TLS", "tcp,self", "-genv", "FI_PROVIDER", "tcp",
            "-hosts", $"{Net}.1,{Net}.2", "-n", "2",
        }];

    /// <summary>The bytes that the second host has received.</summary>
    public long Received
    {
        get
        {
            var said = Ip("netns", "exec", Host(2), "cat", $"/sys/class/net/{Cable(2)}/statistics/rx_bytes");
            return long.Parse(said.Trim(), CultureInfo.InvariantCulture);
        }
    }

    public void Dispose()
    {
        foreach (var host in made) Say("netns", "del", host);
        made.Clear();
    }

    private string Host(int number) => $"{name}h{number}";

    private string Cable(int number) => $"{name}c{number}";

    private string Ip(params string[] arguments)
    {
        var (code, said) = Say(arguments);
        code.Should().Be(0, $"ip {string.Join(' ', arguments)} said {said}");
        return said;
    }

    private (int Code, string Said) Say(params string[] arguments) => MpiRun.Program(["ip", .. arguments], folder);
}
