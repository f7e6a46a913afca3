"""What tests share: keys, the deployed protocol, builders of what attesters and traders sign."""
