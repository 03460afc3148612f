# Adds the entry of a new service to each file that names the services. scripts/new-service sources this and calls `add_entries` in a
# copy of the files, with the names of the service in variables: name, ident, variable, words, path, title, offset, port, kind.

# Inserts standard input after a line.
insert_after() { # file, the line's number
  [ -n "$2" ] || { echo "$1 has another form than this script expects" >&2; exit 1; }
  { head -n "$2" "$1"; cat; tail -n "+$(($2 + 1))" "$1"; } >"$stage/edited"
  cat "$stage/edited" >"$1"
}

# The number of the last line that matches.
last_match() { # file, pattern
  pattern=$2 awk '$0 ~ ENVIRON["pattern"] { last = NR } END { if (last) print last }' "$1"
}

# The number of the last line of the block that begins with a line. It ends before an empty line or one that begins with a bracket.
end_of_block() { # file, first line
  first=$2 awk '
    inside && /^($|\])/ { exit }
    $0 == ENVIRON["first"] { inside = 1 }
    inside { last = NR }
    END { if (last) print last }' "$1"
}

# Inserts a line in a sorted block.
insert_sorted() { # file, first line of the block, line
  local at
  at=$(first=$2 line=$3 awk '
    inside && (/^($|\])/ || $0 > ENVIRON["line"]) { exit }
    $0 == ENVIRON["first"] { inside = 1 }
    inside { last = NR }
    END { if (last) print last }' "$1")
  insert_after "$1" "$at" <<<"$3"
}

# Inserts a JSON object, on standard input, before or after the object in an array that has a member.
insert_object() { # file, member, before or after
  object=$(cat) member=$2 where=$3 awk '
    function print_object(end) { printf "%s", indent; gsub(/\n/, "\n" indent, object); print object end }
    { lines[NR] = $0 }
    index($0, ENVIRON["member"]) && lines[NR - 1] ~ /^[ \t]*[{]$/ { start = NR - 1 }
    start && !end && NR > start { closing = lines[start]; sub(/[{]/, "}", closing); if ($0 == closing || $0 == closing ",") end = NR }
    END {
      if (!end) exit 1
      object = ENVIRON["object"]; indent = lines[start]; sub(/[{]/, "", indent)
      for (i = 1; i <= NR; i++) {
        if (i == start && ENVIRON["where"] == "before") print_object(",")
        if (i != end || ENVIRON["where"] == "before") { print lines[i]; continue }
        is_last = lines[i] !~ /,$/
        print lines[i] (is_last ? "," : "")
        print_object(is_last ? "" : ",")
      }
    }' "$1" >"$stage/edited" || { echo "$1 has another form than this script expects" >&2; exit 1; }
  cat "$stage/edited" >"$1"
}

change_cargo_files() {
  insert_sorted Cargo.toml 'default-members = [' "    \"crates/$name\","
  insert_sorted Cargo.toml '[workspace.dependencies]' "$name = { path = \"crates/$name\" }"
  insert_sorted crates/stack/Cargo.toml '[dependencies]' "$name.workspace = true"
  insert_after crates/stack/src/platform.rs "$(last_match crates/stack/src/platform.rs '^    [a-z_]+_service$')" <<<"    $ident"
  change_lock
}

# Changes Cargo.lock as Cargo would.
change_lock() {
  local version dependencies
  version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
  dependencies=$(sed -n '/^\[dependencies\]$/,$s/^\([a-z0-9_-]*\)\.workspace = true$/\1/p' "crates/$name/Cargo.toml" | sort -u)
  # A crate of this workspace has no source. It refers to a dependency by its name, or by name and version if there are several.
  name=$name version=$version dependencies=$dependencies awk '
    function print_package(i) {
      printf "[[package]]\nname = \"%s\"\nversion = \"%s\"\ndependencies = [\n", name, ENVIRON["version"]
      for (i = 1; i <= count; i++) print " \"" reference[wanted[i]] "\","
      print "]\n"
      is_printed = 1
    }
    BEGIN { name = ENVIRON["name"]; count = split(ENVIRON["dependencies"], wanted, "\n") }
    FNR == NR {
      if ($1 == "[[package]]") is_ours = 1
      if ($1 == "source") is_ours = 0
      if (is_ours && /^ "/) { full = $0; gsub(/^ "|",$/, "", full); split(full, words, " "); reference[words[1]] = full }
      next
    }
    FNR == 1 { for (i = 1; i <= count; i++) if (!(wanted[i] in reference)) reference[wanted[i]] = wanted[i] }
    $1 == "[[package]]" { held = $0; next }
    held != "" {
      if (!is_printed && $3 > "\"" name "\"") print_package()
      print held; held = ""
      in_stack = $3 == "\"stack\""
    }
    in_stack && (/^ "/ || /^\]/) && (/^\]/ || $1 > "\"" name "\",") { print " \"" name "\","; in_stack = 0 }
    { print }
    END { if (!is_printed) { print ""; print_package() } }' Cargo.lock Cargo.lock >"$stage/edited"
  cat "$stage/edited" >Cargo.lock
}

change_compose() {
  local file=docker-compose.yml before
  insert_after $file "$(last_match $file '^  [A-Z_]+_SERVICE_URL: ')" <<<"  ${variable}_URL: http://$name:$port"
  insert_after $file "$(end_of_block $file 'x-client-secrets: &client-secrets')" \
    <<<"  ${variable}_SECRET_FILE: /secrets/$name-secret"
  insert_after $file "$(last_match $file '^      - [a-z-]+-secrets:/secrets/')" <<<"      - $name-secrets:/secrets/$name"
  insert_after $file "$(last_match $file '^      - [a-z-]+-service$')" <<<"      - $name"
  before=$(last_match $file '^networks:$')
  insert_after $file "${before:+$((before - 1))}" < <(part common/parts/compose.yml)
  insert_after $file "$(end_of_block $file 'volumes:')" <<<"  $name-secrets:"
}

change_postman() {
  local last environment
  last=$(sed -n 's/^name = "\(.*\)"$/\1/p' services.toml | tail -n 1)
  for environment in postman/{compose,stack}.postman_environment.json; do
    insert_object $environment "\"key\": \"${last//-/_}\"" after <<JSON
{
  "key": "$ident",
  "value": "http://127.0.0.1:$port",
  "type": "default",
  "enabled": true
}
JSON
  done
  local collection=postman/countersign.postman_collection.json
  insert_object $collection '"name": "Refused requests"' before < <(part "$kind/parts/postman-public.json")
  insert_object $collection "\"name\": \"$last\"" after < <(part common/parts/postman-inside.json)
}

add_entries() {
  change_cargo_files
  change_compose
  change_postman
  insert_after .env.example "$(last_match .env.example '^#[A-Z_]+_SERVICE_URL=')" <<<"#${variable}_URL=http://127.0.0.1:$port"
  insert_after .env.example "$(last_match .env.example '^#[A-Z_]+_SERVICE_SECRET=')" <<<"#${variable}_SECRET="
  part "$kind/parts/services.toml" >>services.toml
}
