#!/usr/bin/ruby --disable-gems
require "json" # SPDX-License-Identifier: Apache-2.0; the format is in README.md
IN, OUT, _ = $stdin.binmode, $stdout.dup.binmode, $stdout.reopen($stderr) # text must not reach the protocol
CODES = Hash.new(-32000).merge("unsupported" => -32601, "invalidParams" => -32602, "internal" => -32603)
FORMS = {"base" => ["IMAGE", /\A(\S+)\z/], "copy" => ["SOURCE /DEST", %r{\A(\S+)\s+(/\S*)\z}],
         "write" => ["/PATH TEXT", %r{\A(/\S*[^/\s])(?:\s+(.*))?\z}], "run" => ["COMMAND", /\A(.+)\z/],
         "env" => ["NAME=VALUE", /\A([A-Za-z_]\w*)=(.*)\z/], "user" => ["NAME", /\A(\S+)\z/], "cmd" => ["WORD…", /\A(.+)\z/]}
def refuse(kind, text, **data) = throw(:failure, {code: CODES[kind], message: text, data: {kind: kind, **data}})
def exactly(count) = (data = IN.read(count)) && data.bytesize == count ? data.force_encoding("UTF-8") : exit # end of stdin
def frame = exactly(8).unpack1("N").then { |length| length < 1 << 24 ? exactly(length) : exit(1) }
def receive = fill(JSON.parse(frame))
def blob(size, data = +"") # nil when it was given up
  data << (part = frame) until part == "" || data.bytesize == size
  data unless size && data.bytesize < size
end
def fill(value) # blobs take the place of their announcements
  return value.is_a?(Array) ? value.map { |element| fill(element) } : value unless value.is_a?(Hash)
  value.keys.sort == %w[blob size] ? blob(value["size"]) : value.transform_values { |member| fill(member) }
end
def deliver(message)
  text = JSON.generate({jsonrpc: "2.0", **message})
  refuse("limit", "the build is larger than the engine takes") if text.bytesize > ($limit || text.bytesize) && !message[:error]
  OUT.write([text.bytesize, 0].pack("NN"), text).then { OUT.flush }
end
def awaited = (message = receive)["method"] ? (serve(message, []); awaited) : message # refuses what is asked in between
def call(method, capabilities, place, params)
  refuse("unsupported", "#{place}: the engine does not offer #{method}") if (capabilities - $capabilities).any?
  deliver(id: $requests += 1, method: method, params: params)
  error = awaited.then { |answer| answer["error"] || (return answer["result"]) }
  kind = error.dig("data", "kind") || CODES.key(error["code"]) || "internal"
  refuse(kind == "notFound" ? "buildFile" : kind, "#{place}: #{error["message"]}", request: $requests)
end
def step(file, line, text) # nil for an empty line and a comment
  wrong = ->(before, about) { refuse("buildFile", "#{file}:#{line}:#{before.bytesize + 1}: #{about}") }
  wrong.($`, "a control character, or a byte that is not UTF-8") if text.scrub("\0") =~ /[\x00-\x08\x0b-\x1f\x7f]/
  return unless (space, word, gap, rest = text.rstrip.match(/\A(\s*)([^\s#]\S*)(\s*)(.*)/)&.captures)
  form, pattern = FORMS[word] || wrong.(space, "unknown instruction #{word[0, 40]}; there are #{FORMS.keys.join(", ")}")
  args = rest.match(pattern)&.captures || wrong.(space + word + gap, "this is not of the form `#{word} #{form}`")
  [word, args, "#{file}:#{line}:#{space.bytesize + 1}", {start: {line: line}, end: {line: line, character: text.bytesize}}]
end
def base(name, place, platform, options) # the source of the image, and its config
  address = options["context:#{name}::#{platform.values.join("/")}"] || options["context:#{name}"]
  return [nil, platform] unless (address ||= name != "scratch" && "docker-image://#{name}")
  found = call("resolveSource", %w[resolveSource.image], place, identifier: address, platform: platform, config: true)
  [{identifier: found["identifier"], attrs: found["attributes"] || {}}, JSON.parse(found.dig("image", "config") || platform.to_json)]
end
def image(info, steps, platform, params)
  source, config = base(steps[0][1][0], steps[0][2], platform, params["options"] || {})
  settings = {"Env" => ["PATH=/usr/local/bin:/usr/bin:/bin"]}.merge((config["config"] || {}).compact)
  ops, places, tree = (source ? {"base" => {source: source}} : {}), {}, ("base" if source)
  steps.drop(1).each do |word, (first, second), place, range|
    inputs, before = (tree ? [[{digest: tree}], 0] : [[], -1])
    case word
    when "copy"
      ops["context"] = {source: {identifier: "local://context"}}
      op = {inputs: inputs + [{digest: "context"}], file: {actions: [{input: before, secondaryInput: inputs.size, output: 0, copy: {
        src: "/#{first}", dest: second, mode: -1, timestamp: -1, dirCopyContents: true, createDestPath: true, allowWildcard: true}}]}}
    when "write"
      mkdir = {path: File.dirname(first), mode: 0755, makeParents: true, timestamp: -1}
      mkfile = {path: first, mode: 0644, data: ["#{second}\n"].pack("m0"), timestamp: -1}
      op = {inputs: inputs, file: {actions: [{input: before, secondaryInput: -1, output: -1, mkdir: mkdir},
                                             {input: inputs.size, secondaryInput: -1, output: 0, mkfile: mkfile}]}}
    when "run"
      meta = {args: ["/bin/sh", "-c", first], env: settings["Env"], cwd: settings["WorkingDir"] || "/", user: settings["User"] || ""}
      op = {inputs: inputs, exec: {meta: meta, mounts: [{dest: "/", input: before, output: 0}]}}
    when "env" then next settings["Env"] = settings["Env"].reject { |old| old.start_with?("#{first}=") } + ["#{first}=#{second}"]
    else next settings[word.capitalize] = word == "cmd" ? first.split : first
    end
    ops[tree = place], places[place] = op, {locations: [{ranges: [range]}]}
  end
  ops.except("context").each_value { |op| op[:platform] = {OS: platform["os"], Architecture: platform["architecture"], Variant: platform["variant"]} }
  ops["result"] = {inputs: [{digest: tree}]} if tree
  config = config.except("history").merge("config" => settings, "rootfs" => {"type" => "layers", "diff_ids" => []}).to_json
  {id: platform.values.join("/"), platform: platform, config: config,
   ref: call("solve", %w[solve solve.json], steps[0][2], definition: {json: {def: ops, source: {infos: [info], locations: places}}})["ref"]}
end
def build(params)
  file, content = params["buildFile"]&.values_at("name", "content")
  refuse("invalidParams", "the build file is missing, or was given up half way") unless file && content
  steps = content.delete_prefix("\uFEFF").each_line(chomp: true).with_index(1).filter_map { |text, line| step(file, line, text) }
  odd = steps.find { |step| (step[0] == "base") != step.equal?(steps[0]) }
  refuse("buildFile", "#{odd ? odd[2] : "#{file}:1:1"}: `base` must be the first step, and only that") if odd || steps.empty?
  refuse("unsupported", "#{file}: the context is no local directory") if (params["inputs"] || {}).merge(params["options"] || {})["context"]
  platforms = params.dig("options", "platform")&.split(",")&.map { |text| %w[os architecture variant].zip(text.split("/")).to_h.compact }
  platforms ||= [params["workerPlatforms"][0].slice("os", "architecture", "variant")]
  {refs: platforms.map { |platform| image({filename: file, data: [content].pack("m0")}, steps, platform, params) }}
end
def serve(message, methods = %w[initialize build])
  id, method, params = message.values_at("id", "method", "params")
  return unless method && id # notifications are ignored
  deliver(id: id, error: catch(:failure) {
    refuse("unsupported", "no method #{method}") if !methods.include?(method) || params&.dig("mustUnderstand")&.any?
    return deliver(id: id, result: build(params || {})) if method == "build"
    refuse("incompatible", "it speaks protocol 1.0", supported: ["1.0"]) if params["protocol"].grep(/\A1\.(0|[1-9]\d*)\z/).empty?
    $requests, $limit, $capabilities = 0, params["limits"]["message"], params["capabilities"]
    return deliver(id: id, result: {protocol: "1.0", frontend: {name: "example/steps", version: "0.1.0"}})
  })
end
serve(receive) while true
