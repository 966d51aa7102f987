#!/bin/sh
# Make two buckets and, for each, a user who may use this bucket and nothing else. It can be run again.
# mc is MinIO's client, which is in MinIO's image: https://docs.min.io/community/minio-object-store/reference/minio-mc-admin.html
set -eu
mc alias set store "$S3_URL" "$S3_ROOT_USER" "$S3_ROOT_PASSWORD" > /dev/null

only() { # BUCKET ACCESS_KEY SECRET_KEY
  mc mb --ignore-existing "store/$1"
  while IFS= read -r line; do # that image has the shell and mc, and little else
    case $line in
      *BUCKET*) printf '%s\n' "${line%%BUCKET*}$1${line#*BUCKET}" ;;
      *) printf '%s\n' "$line" ;;
    esac
  done < /s3/policy.json > "/tmp/only-$1.json"
  mc admin policy create store "only-$1" "/tmp/only-$1.json"
  mc admin user add store "$2" "$3"
  case $(mc admin user info store "$2") in # attaching what is attached is an error
    *"only-$1"*) ;;
    *) mc admin policy attach store "only-$1" --user "$2" ;;
  esac
}

only "${S3_BUCKET:-imagerag}" "$S3_ACCESS_KEY" "$S3_SECRET_KEY"
only milvus milvus "$MILVUS_S3_SECRET_KEY"
