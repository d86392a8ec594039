  file=$(printenv "${name}_FILE")
  if [ ! -r "$file" ]; then
    say "${name}_FILE: cannot read $file"
    exit 1
  fi
  value=$(cat "$file")
  export "$name=$value"
  unset "${name}_FILE"
