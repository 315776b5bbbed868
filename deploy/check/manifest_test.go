package check

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/utils/ptr"
)

// manifest is what ../kubernetes/l4stat.yaml holds.
type manifest struct {
	namespace corev1.Namespace
	config    corev1.ConfigMap
	set       appsv1.DaemonSet
}

func (m *manifest) pod() *corev1.PodSpec              { return &m.set.Spec.Template.Spec }
func (m *manifest) container() *corev1.Container      { return &m.pod().Containers[0] }
func (m *manifest) security() *corev1.SecurityContext { return m.container().SecurityContext }

// text returns the manifest as it is.
func text(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../kubernetes/l4stat.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// withPID returns the manifest as the command in it makes it for the field pid.
func withPID(t *testing.T) []byte {
	t.Helper()
	asIs := text(t)
	command := regexp.MustCompile(`(?m)^#   (sed .*) l4stat\.yaml$`).FindSubmatch(asIs)
	if command == nil {
		t.Fatal("the manifest has no command that makes the one with pid")
	}
	cmd := exec.Command("sh", "-c", string(command[1]))
	cmd.Stdin = bytes.NewReader(asIs)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", command[1], err)
	}
	return out
}

// load reads a manifest as the API server does when it is strict: an unknown
// or repeated key, or a value of the wrong type, is an error.
func load(t *testing.T, text []byte) *manifest {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	var m manifest
	var kinds []string
	for docs := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text))); ; {
		doc := make([]byte, len(text))
		n, err := docs.Read(doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(regexp.MustCompile(`(?m)^\s*[^#\s]`).Find(doc[:n])) == 0 {
			continue // remarks alone
		}
		object, kind, err := decoder.Decode(doc[:n], nil, nil)
		if err != nil {
			t.Fatalf("%v in\n%s", err, doc[:n])
		}
		kinds = append(kinds, kind.Kind)
		switch o := object.(type) {
		case *corev1.Namespace:
			m.namespace = *o
		case *corev1.ConfigMap:
			m.config = *o
		case *appsv1.DaemonSet:
			m.set = *o
		}
	}
	// The namespace first: kubectl makes them in this order.
	if want := []string{"Namespace", "ConfigMap", "DaemonSet"}; !slices.Equal(kinds, want) {
		t.Fatalf("the manifest has %v, want %v", kinds, want)
	}
	if n := len(m.pod().Containers); n != 1 {
		t.Fatalf("the pod has %d containers, want 1", n)
	}
	return &m
}

// env gives the container's environment; what Kubernetes finds out is "".
func (m *manifest) env() map[string]string {
	env := map[string]string{}
	for _, e := range m.container().Env {
		env[e.Name] = e.Value
	}
	return env
}

var reference = regexp.MustCompile(`\$\((\w+)\)`)

func TestManifest(t *testing.T) {
	t.Parallel()
	for name, text := range map[string][]byte{"as it is": text(t), "with pid": withPID(t)} {
		t.Run(name, func(t *testing.T) { checkManifest(t, load(t, text)) })
	}
}

// TestPrivilege has the manifest ask for no more than it needs: for the field pid
// two capabilities and a profile of its own, and otherwise nothing.
func TestPrivilege(t *testing.T) {
	t.Parallel()
	s, pod := load(t, text(t)).security(), load(t, text(t)).pod()
	if !ptr.Deref(s.RunAsNonRoot, false) || ptr.Deref(s.RunAsUser, 0) != nobody || s.Capabilities.Add != nil || s.AppArmorProfile != nil ||
		s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault || pod.HostPID {
		t.Errorf("without pid: hostPID %v, securityContext %v", pod.HostPID, s)
	}
	s, pod = load(t, withPID(t)).security(), load(t, withPID(t)).pod()
	if ptr.Deref(s.RunAsUser, nobody) != 0 || !slices.Equal(s.Capabilities.Add, []corev1.Capability{"SYS_PTRACE", "DAC_READ_SEARCH"}) ||
		s.AppArmorProfile == nil || s.AppArmorProfile.Type != corev1.AppArmorProfileTypeUnconfined || !pod.HostPID ||
		s.SeccompProfile.Type != corev1.SeccompProfileTypeLocalhost || ptr.Deref(s.SeccompProfile.LocalhostProfile, "") != "l4stat.json" {
		t.Errorf("with pid: hostPID %v, securityContext %v", pod.HostPID, s)
	}
}

func checkManifest(t *testing.T, m *manifest) {
	pod, c := m.pod(), m.container()

	for _, meta := range []metav1.ObjectMeta{m.config.ObjectMeta, m.set.ObjectMeta} {
		if meta.Namespace != m.namespace.Name {
			t.Errorf("%s is in the namespace %q, want %q", meta.Name, meta.Namespace, m.namespace.Name)
		}
		if wrong := validation.IsDNS1123Subdomain(meta.Name); wrong != nil {
			t.Errorf("the name %q: %v", meta.Name, wrong)
		}
	}
	if level := m.namespace.Labels["pod-security.kubernetes.io/enforce"]; level != "privileged" {
		t.Errorf("the namespace enforces %q, which refuses the pods", level)
	}
	selector, err := metav1.LabelSelectorAsSelector(m.set.Spec.Selector)
	if err != nil || selector.Empty() || !selector.Matches(labels.Set(m.set.Spec.Template.Labels)) {
		t.Errorf("the selector %v does not select the template's labels %v: %v", selector, m.set.Spec.Template.Labels, err)
	}

	if !pod.HostNetwork || pod.DNSPolicy != corev1.DNSClusterFirstWithHostNet {
		t.Errorf("hostNetwork %v, dnsPolicy %v", pod.HostNetwork, pod.DNSPolicy)
	}
	if s := m.security(); ptr.Deref(s.Privileged, false) || !ptr.Deref(s.ReadOnlyRootFilesystem, false) || ptr.Deref(s.AllowPrivilegeEscalation, true) ||
		!slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("securityContext is %v", s)
	}
	if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Memory().Cmp(*c.Resources.Limits.Memory()) > 0 {
		t.Errorf("memory: requests %v, limits %v", c.Resources.Requests.Memory(), c.Resources.Limits.Memory())
	}

	// Mounts and volumes are the same ones, all of them read only.
	volumes := map[string]corev1.Volume{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = v
	}
	at := map[string]corev1.Volume{}
	for _, mount := range c.VolumeMounts {
		v, ok := volumes[mount.Name]
		if !ok || !mount.ReadOnly {
			t.Errorf("mount %q: there is such a volume: %v, read only: %v", mount.Name, ok, mount.ReadOnly)
		}
		at[mount.MountPath] = v
	}
	if len(at) != len(volumes) {
		t.Errorf("there are %d mounts for %d volumes", len(at), len(volumes))
	}
	env := m.env()
	config := ""
	for _, arg := range c.Args {
		if value, ok := strings.CutPrefix(arg, "--config="); ok {
			config = value
		}
	}
	if from := at[filepath.Dir(config)].ConfigMap; from == nil || from.Name != m.config.Name || m.config.Data[filepath.Base(config)] == "" {
		t.Errorf("--config=%s is not in the ConfigMap", config)
	}

	// What the arguments refer to is there; what the program reads is shown.
	for _, arg := range c.Args {
		for _, ref := range reference.FindAllStringSubmatch(arg, -1) {
			if _, ok := env[ref[1]]; !ok {
				t.Errorf("%s: there is no %s", arg, ref[1])
			}
		}
	}
	for _, name := range []string{"ENV_INPUT_NETSTAT_INTERVAL", "ENV_INPUT_NETSTAT_ADDR_PORTS", "ENV_INPUT_NETSTAT_TAGS"} {
		if _, ok := env[name]; !ok {
			t.Errorf("%s is not shown", name)
		}
	}
	for _, e := range c.Env {
		switch from := e.ValueFrom; {
		case e.Name == "NODE_NAME" && (from == nil || from.FieldRef == nil || from.FieldRef.FieldPath != "spec.nodeName"):
			t.Error("NODE_NAME is not the node's name")
		case e.Name == "L4STAT_TOKEN" && (from == nil || from.SecretKeyRef == nil || !ptr.Deref(from.SecretKeyRef.Optional, false)):
			t.Error("L4STAT_TOKEN is not of a secret that may be missing")
		}
	}
	if u, err := url.Parse(env["L4STAT_OUTPUT"]); err != nil || u.Scheme != "http" || u.Path != "/write" || u.Query().Get("db") == "" {
		t.Errorf("L4STAT_OUTPUT %q: %v", env["L4STAT_OUTPUT"], err)
	}
}

// What the commands of the Dockerfile make, and the probe; TestMain makes them.
var program, licences, probe string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "l4stat")
	if err == nil {
		program, licences, probe = filepath.Join(dir, "l4stat"), filepath.Join(dir, "licences"), filepath.Join(dir, "probe")
		err = build()
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// build runs the commands of the Dockerfile.
func build() error {
	text, err := os.ReadFile("../kubernetes/Dockerfile")
	if err != nil {
		return err
	}
	for _, line := range []string{"COPY --from=build /l4stat /l4stat", "COPY --from=build /licences /licences",
		"COPY --from=build /usr/share/doc/ca-certificates/copyright /licences/ca-certificates/", `ENTRYPOINT ["/l4stat"]`} {
		if !strings.Contains(string(text), "\n"+line+"\n") {
			return fmt.Errorf("the Dockerfile lacks %q", line)
		}
	}
	commands := []string{"CGO_ENABLED=0 go build -o " + probe + " ./deploy/probe"}
	for _, run := range regexp.MustCompile(`(?m)^RUN (.*)$`).FindAllStringSubmatch(string(text), -1) {
		commands = append(commands, strings.NewReplacer(" /l4stat ", " "+program+" ", " /licences ", " "+licences+" ").Replace(run[1]))
	}
	for _, command := range commands {
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
	}
	return nil
}

// TestLicences has a licence in the image of each module that the program is
// built of.
func TestLicences(t *testing.T) {
	t.Parallel()
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"go", info.Main.Path}
	for _, dep := range info.Deps {
		all = append(all, dep.Path+"@"+dep.Version)
	}
	if len(all) < 10 {
		t.Fatalf("the program is built of %q alone", all)
	}
	for _, module := range all {
		files, err := os.ReadDir(filepath.Join(licences, module))
		if err != nil {
			t.Error(err)
			continue
		}
		granted := false
		for _, file := range files {
			text, err := os.ReadFile(filepath.Join(licences, module, file.Name()))
			if err != nil && !file.IsDir() {
				t.Error(err)
			}
			granted = granted || bytes.Contains(bytes.ToLower(text), []byte("permi"))
		}
		if !granted {
			t.Errorf("%s: nothing in %v permits anything", module, files)
		}
	}
}

// TestConfig has the program check the ConfigMap's configuration.
func TestConfig(t *testing.T) {
	t.Parallel()
	m := load(t, text(t))
	for name, text := range m.config.Data {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), program, "config", "check", path).CombinedOutput(); err != nil || strings.Contains(string(out), "warning") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
