# Sourced by the other scripts: says what a long one does, how far it is, and how long it has taken.
#   steps 4            how many follow
#   step Building      test: [2/4, 0:41] Building
#   build TARGET…      a build, whose own count is shown on a terminal
#   finished           test: done in 12:03
steps() { steps_planned=$1 steps_begun=0; }

_elapsed() { printf '%d:%02d' $((SECONDS / 60)) $((SECONDS % 60)); }
_script() { basename "$0" .sh; }

step() {
    steps_begun=$((steps_begun + 1))
    printf '%s: [%d/%d, %s] %s\n' "$(_script)" "$steps_begun" "$steps_planned" "$(_elapsed)" "$*" >&2
}

finished() { printf '%s: done in %s\n' "$(_script)" "$(_elapsed)" >&2; }

# build PRESET [CMAKE ARGUMENT…]
build() {
    local preset=$1
    shift
    cmake --preset "$preset" >/dev/null
    if [[ -t 1 ]]; then
        cmake --build --preset "$preset" "$@"
    else
        cmake --build --preset "$preset" "$@" >/dev/null
    fi
}
