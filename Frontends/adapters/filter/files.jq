# An object of paths and texts, as an image with these files.
if type != "object" or ([.[] | type] | any(. != "string")) then error("expected an object of paths and texts") else . end
| to_entries
| (map({mkfile: {path: .key, mode: 420, data: (.value + "\n" | @base64), timestamp: -1}})
   | to_entries
   | map(.value + {input: (.key - 1), secondaryInput: -1, output: -1})
   | .[-1].output = 0) as $actions
| {llb: {def: {files: {file: {actions: $actions}}, result: {inputs: [{digest: "files"}]}}},
   config: {Labels: {"example.files": (length | tostring)}}}
