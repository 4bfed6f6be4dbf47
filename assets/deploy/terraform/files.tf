# The program and the queries on their way to the instances: a private bucket that keeps earlier
# versions, so that an instance of an earlier template still finds what its template names.

resource "aws_s3_bucket" "files" {
  # checkov:skip=CKV_AWS_18:Who fetches the program is in CloudTrail; it holds nothing secret
  # checkov:skip=CKV_AWS_144:One region; the program can be put there again from where it came
  # checkov:skip=CKV_AWS_145:Encrypted with the key that S3 has of its own
  # checkov:skip=CKV2_AWS_62:Nobody needs to be told of a new program; Terraform rolls it out
  bucket_prefix = "${var.name}-files-"
  force_destroy = !local.protected
}

resource "aws_s3_bucket_public_access_block" "files" {
  bucket                  = aws_s3_bucket.files.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "files" {
  bucket = aws_s3_bucket.files.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "files" {
  bucket = aws_s3_bucket.files.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "files" {
  bucket = aws_s3_bucket.files.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "files" {
  bucket     = aws_s3_bucket.files.id
  depends_on = [aws_s3_bucket_versioning.files]

  rule {
    id     = "earlier-versions"
    status = "Enabled"
    filter {}

    noncurrent_version_expiration {
      noncurrent_days           = 90
      newer_noncurrent_versions = 10
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_policy" "files" {
  bucket     = aws_s3_bucket.files.id
  depends_on = [aws_s3_bucket_public_access_block.files]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.files.arn, "${aws_s3_bucket.files.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

# One key for all versions: another key would take the earlier program away.
resource "aws_s3_object" "binary" {
  bucket      = aws_s3_bucket_versioning.files.bucket
  key         = "unslow"
  source      = pathexpand(var.binary_path)
  source_hash = local.binary_sha256
}

# One query in a line: its file name, a blank, its text in base64.
resource "aws_s3_object" "queries" {
  bucket       = aws_s3_bucket_versioning.files.bucket
  key          = "queries"
  content      = local.queries
  content_type = "text/plain; charset=us-ascii"
  source_hash  = sha256(local.queries)
}

locals {
  binary_sha256 = filesha256(pathexpand(var.binary_path))

  queries_dir = var.queries_dir == null ? null : pathexpand(var.queries_dir)
  query_files = local.queries_dir == null ? [] : sort(fileset(local.queries_dir, "*.sql"))
  queries = join("", concat(
    ["# ${length(local.query_files)} query files\n"],
    [for name in local.query_files : "${name} ${filebase64("${local.queries_dir}/${name}")}\n"]
  ))
}
