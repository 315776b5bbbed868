// Package check tests the Kubernetes manifest, ../kubernetes/l4stat.yaml, and
// the Dockerfile beside it: the types of Kubernetes read it as the API server
// does, and what it says of its container is tried on this machine.
//
// It is a module of its own, so that l4stat does not depend on Kubernetes, and
// does not import l4stat, so that the two can change their dependencies apart.
package check
