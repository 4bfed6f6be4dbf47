# What this needs. State holds the Redis token: keep it in an encrypted, private place (README.md).

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.25, < 7"
    }
    random = {
      source  = "hashicorp/random"
      version = ">= 3.7, < 4"
    }
  }
}

# These tags do not reach what an Auto Scaling group starts, nor its volumes: see application.tf.
provider "aws" {
  region = var.region

  default_tags {
    tags = local.tags
  }
}
