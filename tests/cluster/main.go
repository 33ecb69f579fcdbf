// Kubernetes for breakwater's tests, linked from the published modules: no images, one binary.
//
//	breakwater-cluster server DATADIR [kube-apiserver flags]        etcd and the API server, one process
//	breakwater-cluster controllers [kube-controller-manager flags]
//	breakwater-cluster scheduler | kubelet | proxy [flags]          what a node takes besides
//
// A process each, because each Kubernetes command installs the process's only signal handler. etcd listens on two ports of
// the kernel's choice, so that the caller has only the API server's to find.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

var roles = map[string]func(args []string) (int, error){
	"server":      server,
	"controllers": func(args []string) (int, error) { return run(controllers.NewControllerManagerCommand(), args), nil },
	"scheduler":   func(args []string) (int, error) { return run(scheduler.NewSchedulerCommand(), args), nil },
	"proxy":       func(args []string) (int, error) { return run(proxy.NewProxyCommand(), args), nil },
	"kubelet": func(args []string) (int, error) {
		return run(kubelet.NewKubeletCommand(context.Background()), args), nil
	},
}

func main() {
	if len(os.Args) < 2 || roles[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: breakwater-cluster server DATADIR [flags] | controllers|scheduler|kubelet|proxy [flags]")
		os.Exit(2)
	}
	code, err := roles[os.Args[1]](os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "breakwater-cluster:", err)
		code = 1
	}
	os.Exit(code)
}

func run(command *cobra.Command, args []string) int {
	command.SetArgs(args)
	return cli.Run(command)
}

func server(args []string) (int, error) {
	if len(args) < 1 {
		return 0, errors.New("server needs a data directory")
	}
	store, err := startStore(filepath.Join(args[0], "etcd"))
	if err != nil {
		return 0, fmt.Errorf("etcd: %w", err)
	}
	defer store.Close()
	flags := append([]string{"--etcd-servers=http://" + store.Clients[0].Addr().String()}, args[1:]...)
	return run(apiserver.NewAPIServerCommand(), flags), nil
}

// startStore returns once etcd serves. The data is thrown away after the test, so nothing waits for the disk.
func startStore(dir string) (*embed.Etcd, error) {
	loopback := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config := embed.NewConfig()
	config.Dir = dir
	config.LogLevel = "error"
	config.UnsafeNoFsync = true
	config.WarningUnaryRequestDuration = 5 * time.Second // zero would log every request
	config.ListenClientUrls, config.AdvertiseClientUrls = loopback, loopback
	config.ListenPeerUrls, config.AdvertisePeerUrls = loopback, loopback
	config.InitialCluster = config.InitialClusterFromName(config.Name)

	store, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	select {
	case <-store.Server.ReadyNotify():
		return store, nil
	case err := <-store.Err():
		return nil, err
	case <-time.After(30 * time.Second):
		store.Close()
		return nil, errors.New("not ready after 30 s")
	}
}
