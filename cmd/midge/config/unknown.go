package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// fieldOf finds the field that decodes the key of a table.
func fieldOf(table reflect.Value, key string) (reflect.Value, bool) {
	for i := range table.NumField() {
		if key != "" && table.Type().Field(i).Tag.Get("toml") == key { // fields that no key is for have no tag
			return table.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// keysOf lists the keys of a table in the order of the struct.
func keysOf(table reflect.Type) (keys []string) {
	for f := range tableFields(table) {
		keys = append(keys, f)
	}
	return keys
}

// tableFields yields each key of a table and the type of what stands there, lists and tables unwrapped to one element.
func tableFields(table reflect.Type) func(yield func(key string, element reflect.Type) bool) {
	return func(yield func(string, reflect.Type) bool) {
		for i := range table.NumField() {
			f := table.Field(i)
			key, elem := f.Tag.Get("toml"), f.Type
			if elem.Kind() == reflect.Slice {
				elem = elem.Elem()
			}
			if key != "" && !yield(key, elem) {
				return
			}
		}
	}
}

// isTable reports whether the type is decoded from a TOML table.
func isTable(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[Duration]()
}

// tables maps the name of every table of a configuration to its type: "gateway.predefined".
func tables() map[string]reflect.Type {
	all := map[string]reflect.Type{}
	var add func(name string, t reflect.Type)
	add = func(name string, t reflect.Type) {
		all[name] = t
		for key, elem := range tableFields(t) {
			if isTable(elem) {
				add(join(name, key), elem)
			}
		}
	}
	add("", reflect.TypeFor[Config]())
	return all
}

// unknown says that a table has no such key, and what may have been meant.
func (d decoder) unknown(path, name, key string, value any, table reflect.Type) {
	sub := isTables(value)
	near := nearest(strings.ToLower(key), keysOf(table))
	owners := ownersOf(key)
	switch {
	case sub && near != "":
		d.addf(path, "there is no table [%s]; did you mean [%s]?", join(name, key), join(name, near))
	case sub && len(owners) > 0 && owners[0] != "":
		d.addf(path, "there is no table [%s]; did you mean [%s]?", join(name, key), join(owners[0], key))
	case sub:
		d.addf(path, "there is no table [%s]; %s", join(name, key), known(table))
	case near != "":
		d.addf(path, "%s has no key %q; did you mean %q?", tableName(name), key, near)
	case len(owners) > 0:
		d.addf(path, "%s has no key %q; it belongs to %s", tableName(name), key, inBrackets(owners))
	default:
		d.addf(path, "%s has no key %q; %s", tableName(name), key, known(table))
	}
}

func isTables(value any) bool {
	switch value.(type) {
	case map[string]any, []map[string]any:
		return true
	}
	return false
}

// ownersOf lists the tables that have the key, by name.
func ownersOf(key string) (names []string) {
	for name, t := range tables() {
		if slices.Contains(keysOf(t), key) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// known lists what a table has.
func known(table reflect.Type) string {
	if table == reflect.TypeFor[Config]() {
		return "the tables are " + inBrackets(keysOf(table))
	}
	return "its keys are " + strings.Join(keysOf(table), ", ")
}

func inBrackets(names []string) string { return "[" + strings.Join(names, "], [") + "]" }

// tableName is a table as messages name it.
func tableName(name string) string {
	if name == "" {
		return "the part above the first table"
	}
	return "[" + name + "]"
}

// shown is a key as messages name it: "[link] baud" for "link.baud".
func shown(name string) string {
	table := parentOf(name)
	if table == "" {
		return name
	}
	return fmt.Sprintf("[%s] %s", table, strings.TrimPrefix(name[len(table):], "."))
}
