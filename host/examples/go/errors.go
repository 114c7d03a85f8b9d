package defenderbeat

import (
	"errors"
	"fmt"
	"strings"
)

// ErrSpent is the error of every call after one that ended in a [TrapError] or a [LieError]: the instance is gone. A new
// one gives the same documents for the same input.
var ErrSpent = errors.New("the instance is spent: a call before this one failed; open a new one")

// SettingsError says why settings were refused.
type SettingsError struct {
	// Path is the key at fault, as a JSONPath; `$` where it is the whole.
	Path    string
	Message string
}

func (e *SettingsError) Error() string {
	return fmt.Sprintf("settings refused at %s: %s", e.Path, e.Message)
}

// ContractError says why a module is no component of this contract. Trying again does not help.
type ContractError struct{ Message string }

func (e *ContractError) Error() string {
	return "the module does not fit the contract defenderbeat:pipeline@0.1: " + e.Message
}

// TrapError is a call that the guest, a limit or the host's own Write ended. The instance is gone.
type TrapError struct {
	// Cause is context.DeadlineExceeded where a limit of time was reached, the context's own error where the caller gave
	// up, what Write returned, or what the runtime says.
	Cause error
	// LastWords are the message of a panic; empty where there was none.
	LastWords string
	// Memory is what the guest had, in bytes.
	Memory uint64
}

func (e *TrapError) Error() string {
	// What follows the first line is the guest's stack, which has no names.
	cause, _, _ := strings.Cut(e.Cause.Error(), "\n")
	if e.LastWords != "" {
		cause += ": " + e.LastWords
	}
	return fmt.Sprintf("the component was ended with %d KiB of memory: %s; its instance is gone, open a new one", e.Memory>>10, cause)
}

// Unwrap gives the cause.
func (e *TrapError) Unwrap() error { return e.Cause }

// LieError is an answer of a guest that cannot be true. Nothing of it is passed on, and the instance is gone.
type LieError struct{ Message string }

func (e *LieError) Error() string {
	return "the component's answer cannot be true: " + e.Message + "; it was discarded and the instance is gone"
}

func lie(format string, arguments ...any) error {
	return &LieError{fmt.Sprintf(format, arguments...)}
}
