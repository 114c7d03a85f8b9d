#!/bin/sh
# Writes what packages hold beside the program: manual pages, completions for shells, the program's bill of materials.
#
#   host/packages/contents.sh PROGRAM FOLDER SBOM    SBOM is the tool that writes the bill (make sbom)
set -eu
program=$1
folder=$2
sbom=$3

rm -rf "$folder"
mkdir -p "$folder/completions"
"$program" man --folder "$folder/man"
# By the names that bash, zsh and fish look for.
"$program" completions bash >"$folder/completions/defenderbeat"
"$program" completions zsh >"$folder/completions/_defenderbeat"
"$program" completions fish >"$folder/completions/defenderbeat.fish"
# Such as `rustc 1.95.0 (59807616e 2026-04-14)`.
rust=$(rustc --version | cut -d ' ' -f 2)
"$sbom" --name defenderbeat-program --rust "$rust" "defenderbeat=$program" >"$folder/defenderbeat.cdx.json"
