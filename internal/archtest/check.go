package archtest

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// check parses every Go file of the module in tree that is no test and returns
// what breaks a law, a line each.
func check(tree fs.FS, module string, rooms []room) ([]string, error) {
	c := checker{module: module, rooms: rooms, fset: token.NewFileSet(), unknown: map[string]bool{}}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name == "." {
				return nil
			}
			if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
				return fs.SkipDir
			}
			if _, err := fs.Stat(tree, path.Join(name, "go.mod")); err == nil {
				return fs.SkipDir // a module of its own
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
			return nil
		}
		source, err := fs.ReadFile(tree, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // somebody is at work in the tree
		}
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(c.fset, name, source, parser.ParseComments)
		if err != nil {
			return err
		}
		if !ignored(f) {
			c.file(name, f)
		}
		return nil
	})
	slices.Sort(c.found)
	return slices.Compact(c.found), err
}

// ignored reports whether the file has the build constraint that keeps it out of
// every build.
func ignored(f *ast.File) bool {
	for _, group := range f.Comments {
		for _, comment := range group.List {
			if comment.Pos() < f.Package && comment.Text == "//go:build ignore" {
				return true
			}
		}
	}
	return false
}

type checker struct {
	module  string
	rooms   []room
	fset    *token.FileSet
	unknown map[string]bool
	found   []string
}

func (c *checker) report(pos token.Pos, format string, args ...any) {
	p := c.fset.Position(pos)
	c.found = append(c.found, fmt.Sprintf("%s:%d: %s", p.Filename, p.Line, fmt.Sprintf(format, args...)))
}

// room returns the row for a package directory.
func (c *checker) room(dir string) (room, bool) {
	for _, r := range c.rooms {
		if below, all := strings.CutSuffix(r.path, "/..."); r.path == dir || all && (dir == below || strings.HasPrefix(dir, below+"/")) {
			return r, true
		}
	}
	return room{}, false
}

// top returns the floor of the package as its importers see it.
func (r room) top() floor {
	top := r.floor
	for _, f := range r.files {
		top = max(top, f)
	}
	return top
}

// of returns the floor of one of its files.
func (r room) of(file string) floor {
	for pattern, f := range r.files {
		if ok, _ := path.Match(pattern, file); ok {
			return f
		}
	}
	return r.floor
}

func (c *checker) file(name string, f *ast.File) {
	dir, base := path.Split(name)
	dir = path.Clean(dir)
	if slices.Contains(badNames, strings.TrimSuffix(base, ".go")) || slices.Contains(badNames, f.Name.Name) {
		c.report(f.Name.Pos(), "package %s, file %s: the name says nothing; call it by what it does", f.Name.Name, base)
	}
	r, ok := c.room(dir)
	if !ok {
		if !c.unknown[dir] {
			c.unknown[dir] = true
			c.report(f.Name.Pos(), "package %s has no floor; give it one in the table of internal/archtest", dir)
		}
		return
	}
	on := r.of(base)
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		c.imports(dir, on, spec, p)
	}
	if on <= f1 {
		c.content(on, f)
	}
}

func (c *checker) imports(dir string, on floor, spec *ast.ImportSpec, p string) {
	inside := func(list []string) bool { return slices.Contains(list, dir) }
	switch {
	case on <= f1 && (p == "net" || p == "os" || p == "context" || within(p, "golang.org/x") || strings.HasPrefix(p, "os/") || p == "net/http"):
		c.report(spec.Pos(), "%v imports %s; no I/O, context or golang.org/x down here (net/netip is fine)", on, p)
	case on <= f1 && spec.Name != nil && spec.Name.Name == "." && forbidden[p] != nil:
		c.report(spec.Pos(), "%v imports %s by a dot, which hides what it uses", on, p)
	case on == f1 && (p == "sync" || p == "crypto/rand"):
		c.report(spec.Pos(), "F1 imports %s; an engine has one owner, no lock, and its chance from a seed", p)
	}
	if (p == "syscall" || within(p, "golang.org/x/sys")) && !inside(syscalls) {
		c.report(spec.Pos(), "%s imports %s; only %s name a syscall", dir, p, strings.Join(syscalls, ", "))
	}
	target, ours := strings.CutPrefix(p, c.module+"/")
	if p == c.module {
		target, ours = ".", true
	}
	if !ours {
		return
	}
	if target == "mcast" && on < f3 && !inside(sockets) {
		c.report(spec.Pos(), "%s imports mcast; take a datagram.Conn and let the caller open it", dir)
	}
	if to, ok := c.room(target); ok && to.top() > on {
		c.report(spec.Pos(), "%v imports %s on %v; imports go down or sideways", on, target, to.top())
	}
}

// within reports whether import path p is root or below it.
func within(p, root string) bool { return p == root || strings.HasPrefix(p, root+"/") }

// forbidden tells for some packages whether one of their names may not be used on
// F0 and F1.
var forbidden = map[string]func(name string) bool{
	"time": func(name string) bool {
		return slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}, name)
	},
	"math/rand":    globalRand,
	"math/rand/v2": globalRand,
}

// globalRand reports whether name is drawn from the generator all share: all that
// is neither a type nor makes a generator.
func globalRand(name string) bool {
	return !slices.Contains([]string{"Rand", "Source", "Source64", "Zipf", "PCG", "ChaCha8",
		"New", "NewSource", "NewZipf", "NewPCG", "NewChaCha8"}, name)
}

// content looks for what code on F0 and F1 may not do.
func (c *checker) content(on floor, f *ast.File) {
	names := map[string]string{} // of an import in this file, to its path
	for _, spec := range f.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(strings.TrimSuffix(p, "/v2"))
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			c.report(n.Pos(), "%v starts a goroutine", on)
		case *ast.ChanType:
			c.report(n.Pos(), "%v has a channel", on)
		case *ast.SelectStmt:
			c.report(n.Pos(), "%v selects", on)
		case *ast.SendStmt:
			c.report(n.Pos(), "%v sends to a channel", on)
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if !ok || x.Obj != nil { // Obj: declared in this file, so no import
				return true
			}
			if not := forbidden[names[x.Name]]; not != nil && not(n.Sel.Name) {
				c.report(n.Pos(), "%v uses %s.%s; time and chance are handed in", on, names[x.Name], n.Sel.Name)
			}
		}
		return true
	})
}
