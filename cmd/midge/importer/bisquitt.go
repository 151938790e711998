package importer

import (
	"iter"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// isBisquitt wants a YAML map of maps whose keys are numbers.
func isBisquitt(_ string, data []byte) bool {
	for _, topics := range yamlMap(yamlRoot(data)) {
		for id := range yamlMap(topics) {
			if id.ShortTag() == "!!int" {
				return true
			}
		}
	}
	return false
}

// readBisquitt imports the predefined topics of bisquitt: client id or "*", in it topic id: topic.
func readBisquitt(j *job, path string, data []byte) *document {
	var list []predefined
	for client, topics := range yamlMap(yamlRoot(data)) {
		if topics.Kind != yaml.MappingNode {
			j.leave(Left{File: path, Line: client.Line, Option: client.Value, Why: "is not a map of topic ids to topics", at: client.Line})
		}
		for id, topic := range yamlMap(topics) {
			list = append(list, predefined{id.Line, client.Value, decimal(id), topic.Value})
		}
	}
	return j.predefinedDocument(path, list, true)
}

// yamlRoot is what a YAML document holds; nil when the text is none.
func yamlRoot(data []byte) *yaml.Node {
	var doc yaml.Node
	if yaml.Unmarshal(data, &doc) != nil || doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil
	}
	return doc.Content[0]
}

// yamlMap yields the keys and values of a map, and nothing of anything else.
func yamlMap(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(meant(n.Content[i]), meant(n.Content[i+1])) {
				return
			}
		}
	}
}

// meant is the node that an alias stands for.
func meant(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// decimal is a whole number as people write it, where YAML has it in hexadecimal; other scalars as they are.
func decimal(n *yaml.Node) string {
	var i int
	if n.ShortTag() != "!!int" || n.Decode(&i) != nil {
		return n.Value
	}
	return strconv.Itoa(i)
}
