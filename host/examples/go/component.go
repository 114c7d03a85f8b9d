// Package defenderbeat runs the mapping components of defenderbeat in [wazero], a WebAssembly runtime in plain Go.
//
// A component maps payloads of Microsoft Defender to ECS documents, and is the same in every host: the same settings,
// facts, bytes, times and lookups give the same documents, byte for byte. It is data from elsewhere; it can do nothing
// but compute, has limits of time and memory, and nothing that it says is believed unchecked.
//
//	component, err := defenderbeat.Compile(ctx, wasm, defenderbeat.Options{})
//	pipeline, err := component.Open(ctx, `{"tags":["soc"]}`, defenderbeat.Host{Write: write})
//	receipt, err := pipeline.Push(ctx, defenderbeat.Batch{Feed: "alerts", ReceivedAt: time.Now(), Payloads: payloads})
package defenderbeat

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Options are how a component is compiled. The zero value is a good choice.
type Options struct {
	Limits Limits
	// Cache keeps machine code: in memory, so that a module that is compiled again costs nothing, or in a folder of this
	// program's own, so that its next start does not compile. By default nothing outlives the component.
	Cache wazero.CompilationCache
}

// Component is a compiled core module that fits the contract. It is for any number of goroutines; instances share its
// code.
type Component struct {
	runtime    wazero.Runtime
	compiled   wazero.CompiledModule
	limits     Limits
	prefix     string
	descriptor Descriptor
}

// Compile makes a component of a core module, `<dataset>.core.wasm`. What fits no contract of ours is a [ContractError],
// anything else a module that wazero does not run.
func Compile(ctx context.Context, wasm []byte, options Options) (*Component, error) {
	limits := options.Limits.withDefaults()
	config := wazero.NewRuntimeConfig().
		WithCloseOnContextDone(true).
		WithMemoryLimitPages(uint32(limits.Memory / page)).
		WithDebugInfoEnabled(false)
	if options.Cache != nil {
		config = config.WithCompilationCache(options.Cache)
	}
	component := &Component{runtime: wazero.NewRuntimeWithConfig(ctx, config), limits: limits}
	if err := component.compile(ctx, wasm); err != nil {
		return nil, fmt.Errorf("compiling the component: %w", closed(err, component.Close(ctx)))
	}
	return component, nil
}

// CompileFile makes a component of a file.
func CompileFile(ctx context.Context, file string, options Options) (*Component, error) {
	wasm, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the component: %w", err)
	}
	component, err := Compile(ctx, wasm, options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return component, nil
}

// Descriptor is what the component says it is.
func (c *Component) Descriptor() Descriptor { return c.descriptor }

// Close gives back all that the component holds. Its pipelines are gone.
func (c *Component) Close(ctx context.Context) error { return c.runtime.Close(ctx) }

func (c *Component) compile(ctx context.Context, wasm []byte) (err error) {
	if c.compiled, err = c.runtime.CompileModule(ctx, wasm); err != nil {
		return err
	}
	if c.prefix, err = exports(c.compiled); err != nil {
		return err
	}
	if err := c.link(ctx); err != nil {
		return err
	}
	c.descriptor, err = c.describe(ctx)
	return err
}

// link gives the module its imports, and refuses one that asks for more.
func (c *Component) link(ctx context.Context) error {
	if len(c.compiled.ImportedMemories()) > 0 {
		return &ContractError{"it imports a memory"}
	}
	builders := make(map[string]wazero.HostModuleBuilder)
	for _, imported := range c.compiled.ImportedFunctions() {
		module, name, _ := imported.Import()
		function, allowed := imports[versionless(module)+"#"+name]
		if !allowed {
			return &ContractError{fmt.Sprintf("it imports `%s` of `%s`, which no pipeline needs", name, module)}
		}
		if err := function.check(imported, name); err != nil {
			return err
		}
		builder, begun := builders[module]
		if !begun {
			builder = c.runtime.NewHostModuleBuilder(module)
			builders[module] = builder
		}
		builder.NewFunctionBuilder().
			WithGoModuleFunction(function.run, function.params, function.results).
			Export(name)
	}
	for module, builder := range builders {
		if _, err := builder.Instantiate(ctx); err != nil {
			return fmt.Errorf("giving it %s: %w", module, err)
		}
	}
	return nil
}

// signature is the core type of a function.
type signature struct{ params, results []api.ValueType }

const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
)

func (s signature) check(function api.FunctionDefinition, name string) error {
	if slices.Equal(function.ParamTypes(), s.params) && slices.Equal(function.ResultTypes(), s.results) {
		return nil
	}
	return &ContractError{fmt.Sprintf("the type of `%s` differs", name)}
}

// Functions that a module exports, behind the name of the interface.
const (
	describe = "describe"
	open     = "[static]pipeline.open"
	push     = "[method]pipeline.push"
	finish   = "[method]pipeline.finish"
	learn    = "[method]pipeline.learn"
	facts    = "[method]pipeline.facts"
)

var (
	// A newer patch may add functions, a newer minor version may change them.
	ours        = regexp.MustCompile(`^(.*defenderbeat:pipeline/[a-z]+)@0\.1\.\d+$`)
	transformer = regexp.MustCompile(`^(defenderbeat:pipeline/transformer@0\.1\.\d+#)describe$`)

	exported = map[string]signature{
		describe: {nil, []api.ValueType{i32}},
		open:     {[]api.ValueType{i32, i32}, []api.ValueType{i32}},
		push:     {[]api.ValueType{i32, i32, i32, i64, i32, i32}, []api.ValueType{i32}},
		finish:   {[]api.ValueType{i32}, []api.ValueType{i32}},
		learn:    {[]api.ValueType{i32, i32, i32}, nil},
		facts:    {[]api.ValueType{i32}, []api.ValueType{i32}},
	}
	realloc    = signature{[]api.ValueType{i32, i32, i32, i32}, []api.ValueType{i32}}
	postReturn = signature{[]api.ValueType{i32}, nil}
)

// versionless gives an interface's name without its version, if that is one of ours.
func versionless(module string) string {
	if match := ours.FindStringSubmatch(module); match != nil {
		return match[1]
	}
	return module
}

// exports checks what a module exports and gives what its functions' names begin with.
func exports(compiled wazero.CompiledModule) (string, error) {
	functions := compiled.ExportedFunctions()
	prefix := ""
	for name := range functions {
		if match := transformer.FindStringSubmatch(name); match != nil {
			prefix = match[1]
		}
	}
	if prefix == "" {
		return "", &ContractError{"it exports no defenderbeat:pipeline/transformer@0.1"}
	}
	wanted := map[string]signature{"cabi_realloc": realloc}
	for name, signature := range exported {
		wanted[prefix+name] = signature
		// What gives back the memory of a result, for those that lie in memory.
		if name != learn {
			wanted["cabi_post_"+prefix+name] = postReturn
		}
	}
	for name, signature := range wanted {
		function, there := functions[name]
		if !there {
			return "", &ContractError{fmt.Sprintf("it does not export `%s`", name)}
		}
		if err := signature.check(function, name); err != nil {
			return "", err
		}
	}
	if _, there := compiled.ExportedMemories()["memory"]; !there {
		return "", &ContractError{"it exports no memory"}
	}
	return prefix, nil
}
