package socket

import (
	"encoding/binary"
	"math"
)

// The part of include/uapi/linux/inet_diag.h that has the kernel compare ports.
// Newer kernels have operators for "is equal" too; these every kernel has.
const (
	reqBytecode = 1 // INET_DIAG_REQ_BYTECODE

	bcSrcGE = 2 // INET_DIAG_BC_S_GE
	bcSrcLE = 3 // INET_DIAG_BC_S_LE
	bcDstGE = 4 // INET_DIAG_BC_D_GE
	bcDstLE = 5 // INET_DIAG_BC_D_LE

	bcOpLen      = 4           // struct inet_diag_bc_op
	bcCompareLen = 2 * bcOpLen // an operator, and one more that is there for its field no, the port
	nlattrLen    = 4           // struct nlattr
)

// appendPortFilter appends the attribute INET_DIAG_REQ_BYTECODE with a program
// that the kernel runs for each socket of the wanted states, so that a socket
// with other ports costs a few comparisons instead of a message. Where the
// ranges leave nothing out it appends nothing: an empty program is an error to
// the kernel.
//
// The program is a comparison for each end of a range that is one. A comparison
// goes on by yes bytes if it is true and by no bytes if not. To arrive at the
// end of the program is to accept the socket, to go beyond is to reject it; the
// kernel takes no program that goes beyond by anything but 4 bytes, or that
// would not arrive there if all were true (net/ipv4/inet_diag.c,
// inet_diag_bc_audit and inet_diag_bc_run).
func appendPortFilter(b []byte, local, remote PortRange) []byte {
	if local.all() && remote.all() {
		return b
	}
	attr := len(b)
	b = binary.NativeEndian.AppendUint16(b, 0) // nla_len: see below
	b = binary.NativeEndian.AppendUint16(b, reqBytecode)
	program := len(b)
	b = appendPortRange(b, bcSrcGE, bcSrcLE, local)
	b = appendPortRange(b, bcDstGE, bcDstLE, remote)
	for op := program; op < len(b); op += bcCompareLen {
		left := len(b) - op
		binary.NativeEndian.PutUint16(b[op+2:], uint16(left+bcOpLen))
	}
	binary.NativeEndian.PutUint16(b[attr:], uint16(len(b)-attr))
	return b
}

// appendPortRange appends the comparisons with the ends of r, without the jumps
// of those that are false. Nothing is below port 0 or above 65535.
func appendPortRange(b []byte, ge, le byte, r PortRange) []byte {
	if r.all() {
		return b
	}
	if r.First > 0 {
		b = appendCompare(b, ge, r.First)
	}
	if r.Last < math.MaxUint16 {
		b = appendCompare(b, le, r.Last)
	}
	return b
}

// appendCompare appends two struct inet_diag_bc_op: code, yes, and no in two
// bytes. A port is in the host's byte order here, unlike in a message.
func appendCompare(b []byte, code byte, port uint16) []byte {
	b = append(b, code, bcCompareLen, 0, 0, 0, 0)
	return binary.NativeEndian.AppendUint16(b, port)
}
