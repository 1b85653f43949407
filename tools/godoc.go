// Writes the reference of a Go package as Markdown to standard output, from its source. It needs no compiler for C.
//
// usage: go run godoc.go IMPORT_PATH DIRECTORY
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

type writer struct {
	bytes.Buffer
	files   *token.FileSet
	pkg     *doc.Package
	printer *comment.Printer
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go run godoc.go IMPORT_PATH DIRECTORY")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(path, directory string) error {
	names, err := filepath.Glob(filepath.Join(directory, "*.go"))
	if err != nil {
		return err
	}
	w := &writer{files: token.NewFileSet()}
	var parsed []*ast.File
	for _, name := range names {
		file, err := parser.ParseFile(w.files, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		parsed = append(parsed, file)
	}
	if w.pkg, err = doc.NewFromFiles(w.files, parsed, path); err != nil {
		return err
	}
	w.printer = w.pkg.Printer()
	w.printer.HeadingLevel = 4
	w.printer.HeadingID = func(*comment.Heading) string { return "" }
	w.printer.DocLinkURL = func(link *comment.DocLink) string { return link.DefaultURL("https://pkg.go.dev") }
	w.write()
	_, err = os.Stdout.Write(w.Bytes())
	return err
}

func (w *writer) write() {
	fmt.Fprintf(w, "# Package %s\n\n```go\nimport %q\n```\n\n", w.pkg.Name, w.pkg.ImportPath)
	w.text(w.pkg.Doc)
	w.examples(w.pkg.Examples)
	w.values("Constants", w.pkg.Consts)
	w.values("Variables", w.pkg.Vars)
	if len(w.pkg.Funcs) > 0 {
		fmt.Fprint(w, "## Functions\n\n")
	}
	for _, function := range w.pkg.Funcs {
		w.function(function)
	}
	if len(w.pkg.Types) > 0 {
		fmt.Fprint(w, "## Types\n\n")
	}
	for _, kind := range w.pkg.Types {
		w.heading(kind.Name, "type "+kind.Name)
		w.code(kind.Decl)
		w.text(kind.Doc)
		w.examples(kind.Examples)
		for _, values := range append(kind.Consts, kind.Vars...) {
			w.value(values)
		}
		for _, function := range append(kind.Funcs, kind.Methods...) {
			w.function(function)
		}
	}
}

// heading has the anchor that links of Go's comments use.
func (w *writer) heading(anchor, title string) {
	fmt.Fprintf(w, "<a id=%q></a>\n\n### %s\n\n", anchor, strings.ReplaceAll(title, "*", `\*`))
}

func (w *writer) text(text string) {
	w.Write(w.printer.Markdown(w.pkg.Parser().Parse(text)))
	w.WriteString("\n")
}

func (w *writer) code(node any) {
	var code bytes.Buffer
	if err := format.Node(&code, w.files, node); err != nil {
		code.WriteString(err.Error())
	}
	text := code.String()
	if _, isBlock := node.(*ast.BlockStmt); isBlock {
		text = strings.Trim(strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}"), "\n")
		text = strings.TrimPrefix(strings.ReplaceAll(text, "\n\t", "\n"), "\t")
	}
	fmt.Fprintf(w, "```go\n%s\n```\n\n", text)
}

func (w *writer) values(title string, all []*doc.Value) {
	if len(all) > 0 {
		fmt.Fprintf(w, "## %s\n\n", title)
	}
	for _, values := range all {
		w.value(values)
	}
}

func (w *writer) value(values *doc.Value) {
	for _, name := range values.Names {
		fmt.Fprintf(w, "<a id=%q></a>", name)
	}
	w.WriteString("\n\n")
	w.code(values.Decl)
	w.text(values.Doc)
}

func (w *writer) function(function *doc.Func) {
	anchor, title := function.Name, "func "+function.Name
	if function.Recv != "" {
		anchor = strings.TrimPrefix(function.Recv, "*") + "." + function.Name
		title = fmt.Sprintf("func (%s) %s", function.Recv, function.Name)
	}
	w.heading(anchor, title)
	declaration := *function.Decl
	declaration.Doc, declaration.Body = nil, nil
	w.code(&declaration)
	w.text(function.Doc)
	w.examples(function.Examples)
}

func (w *writer) examples(examples []*doc.Example) {
	for _, example := range examples {
		fmt.Fprintf(w, "**Example**\n\n")
		w.text(example.Doc)
		w.code(example.Code)
	}
}
