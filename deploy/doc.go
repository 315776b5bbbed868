// Package deploy holds, for its tests alone, the files with which l4stat is put
// on hosts: see README.md. The Kubernetes manifest is tested in the module
// deploy/check, so that this one does not depend on what reads it.
package deploy
